/** What the Agent's own name server does where clients, upstream servers or the machine are not as they should be. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Logger, Option, Result, Scope } from "effect"
import { createSocket } from "node:dgram"
import { rmSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as OwnNames from "#domain/OwnNames"
import * as Subnet from "#domain/Subnet"
import * as NameServer from "#layers/dns/NameServer"
import type { NameServerOptions, NameServerPlace } from "#layers/dns/NameServerSettings"
import { eventually } from "#test/support/Eventually"
import * as FreePort from "#test/support/FreePort"
import * as NameClient from "#test/support/NameClient"
import * as NameUpstream from "#test/support/NameUpstream"

const address = "127.0.0.1"
const subnet = (text: string) => Result.getOrThrow(Subnet.parse(text))
const names = ["gateway=10.89.0.3", "*.s3-storage=10.89.0.4"].map((text) => Result.getOrThrow(OwnNames.read(text)))
const { known, long } = NameUpstream

const serve = (given: Partial<NameServerPlace & NameServerOptions>) =>
  Effect.map(
    NameServer.serve({ address, port: 0, clients: subnet("127.0.0.0/8"), names, upstream: [], ...given }),
    (port): NameClient.Server => ({ address, port })
  )

/** What it says in its log meanwhile. */
const overheard = () => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ message }) => void lines.push(String(message)))
  return { lines, layer: Logger.layer([logger]) }
}

const rcode = (server: NameClient.Server, name: string) =>
  Effect.map(NameClient.ask(server, name, "A"), (told) => told?.rcode)

const addresses = (server: NameClient.Server, name: string) =>
  Effect.map(NameClient.ask(server, name, "A"), NameClient.dataOf)

describe("the Agent's name server", () => {
  it.live("drops what is no query, says so, and goes on", () => {
    const { layer, lines } = overheard()
    return Effect.gen(function* () {
      const server = yield* serve({})
      const right = NameClient.query("gateway", "A")
      const answer = Buffer.from(right)
      answer.writeUInt16BE(0x8180, 2)
      const pointer = Buffer.concat([right.subarray(0, 12), Buffer.from([0xc0, 0x0c, 0, 1, 0, 1])])
      const long = Buffer.concat([right.subarray(0, 12), Buffer.alloc(300, 63), Buffer.from([0, 0, 1, 0, 1])])
      const rubbish = [Buffer.alloc(0), Buffer.from("hello"), right.subarray(0, 20), answer, pointer, long].concat(
        Buffer.concat([right, Buffer.alloc(5_000)]),
        Array.from({ length: 200 }, (_, n) => right.subarray(0, 12 + (n % (right.length - 13))))
      )
      const quiet = (bytes: Buffer) => NameClient.byDatagram(server, bytes, 50)
      const answers = yield* Effect.forEach(rubbish, quiet, { concurrency: 50 })
      assert.deepStrictEqual(answers.filter(Option.isSome), [])
      assert.deepStrictEqual(yield* NameClient.byConnection(server, NameClient.framed(Buffer.from("hello"))), [])
      assert.deepStrictEqual(yield* NameClient.byConnection(server, Buffer.from([0xff, 0xff, 1, 2, 3])), [])
      assert.deepStrictEqual(yield* addresses(server, "gateway"), ["10.89.0.3"])
      const counted = () => lines.some((line) => /sends what is no query, which is dropped \(and \d+ more/.test(line))
      yield* eventually("it is counted", Effect.sync(counted), (isSo) => isSo)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.live("refuses what it understands and does not offer", () =>
    Effect.gen(function* () {
      const server = yield* serve({})
      const told = (bytes: Buffer) =>
        Effect.map(NameClient.byDatagram(server, bytes), (answer) => NameClient.read(Option.getOrThrow(answer)))
      const update = NameClient.query("gateway", "A", { flags: 5 << 11 })
      assert.strictEqual((yield* told(update)).rcode, "NOTIMP")
      const two = {
        questions: [
          { name: "gateway", type: "A" as const },
          { name: "gateway", type: "AAAA" as const }
        ]
      }
      assert.strictEqual((yield* told(NameClient.query("gateway", "A", two))).rcode, "FORMERR")
      const boasting = NameClient.query("gateway", "A")
      boasting.writeUInt16BE(0xffff, 6)
      assert.strictEqual((yield* told(boasting)).rcode, "FORMERR")
      assert.strictEqual((yield* told(NameClient.query("gateway", "AXFR"))).rcode, "REFUSED")
      const later = yield* told(
        NameClient.query("gateway", "A", { additionals: [NameClient.extended(1_232, { ednsVersion: 1 })] })
      )
      assert.deepInclude(later.additionals?.[0], { type: "OPT", extendedRcode: 1, ednsVersion: 0 })
    }).pipe(Effect.scoped)
  )

  it.live("answers one network, and nobody else", () => {
    const { layer, lines } = overheard()
    return Effect.gen(function* () {
      const server = yield* serve({ clients: subnet("127.9.0.0/16") })
      const quiet = yield* NameClient.byDatagram(server, NameClient.query("gateway", "A"), 200)
      assert.isTrue(Option.isNone(quiet))
      const sent = NameClient.framed(NameClient.query("gateway", "A"))
      assert.deepStrictEqual(yield* NameClient.byConnection(server, sent), [])
      assert.isTrue(lines.some((line) => line.includes("asks from elsewhere")))
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.live("hands extensions on, both ways, and knows them itself", () =>
    Effect.gen(function* () {
      const upstream = yield* NameUpstream.make()
      const server = yield* serve({ upstream: [upstream] })
      const more = { additionals: [NameClient.extended(1_400)] }
      const told = yield* NameClient.ask(server, known.name, "A", more)
      assert.deepInclude(upstream.asked[0]?.query.additionals?.[0], { type: "OPT", udpPayloadSize: 1_400 })
      assert.deepInclude(told?.additionals?.[0], { type: "OPT", udpPayloadSize: 1_400 })
      const own = yield* NameClient.ask(server, "gateway", "A", more)
      assert.deepInclude(own?.additionals?.[0], { type: "OPT", udpPayloadSize: 1_232 })
      assert.deepStrictEqual((yield* NameClient.ask(server, "gateway", "A"))?.additionals, [])
    }).pipe(Effect.scoped)
  )

  it.live("keeps every number and the question as they came, whatever bytes they are", () =>
    Effect.gen(function* () {
      const server = yield* serve({ upstream: [yield* NameUpstream.make()] })
      const strange = NameClient.query("xyz.GateWay", "A")
      strange.writeUInt16BE(0xfffe, 13)
      const asked = [NameClient.query("GATEWAY", "A"), NameClient.query("Example.TEST", "A"), strange]
      for (const bytes of asked) {
        const answer = Option.getOrThrow(yield* NameClient.byDatagram(server, bytes))
        assert.strictEqual(answer.readUInt16BE(0), bytes.readUInt16BE(0))
        assert.deepStrictEqual(answer.subarray(12, bytes.length), bytes.subarray(12))
      }
    }).pipe(Effect.scoped)
  )

  it.live(
    "asks by a connection what does not fit into a datagram, and the next server where one does not want to",
    () =>
      Effect.gen(function* () {
        const [unwilling, upstream] = [yield* NameUpstream.make("is unwilling"), yield* NameUpstream.make()]
        const server = yield* serve({ upstream: [unwilling, upstream] })
        assert.deepStrictEqual(yield* addresses(server, known.name), [known.address])
        assert.strictEqual(unwilling.asked.length, 1)
        const [whole] = yield* NameClient.byConnection(server, NameClient.framed(NameClient.query(long.name, "TXT")))
        assert.strictEqual(NameClient.read(whole ?? assert.fail("no answer")).answers?.length, 1)
        const ways = upstream.asked.map(({ by }) => by)
        assert.deepStrictEqual(ways, ["datagram", "datagram", "connection"])
        const alone = yield* serve({ upstream: [unwilling] })
        assert.strictEqual(yield* rcode(alone, known.name), "SERVFAIL")
      }).pipe(Effect.scoped)
  )

  it.live("waits for a silent server no longer than its part of the time, and asks the next", () =>
    Effect.gen(function* () {
      const [silent, upstream] = [yield* NameUpstream.make("is silent"), yield* NameUpstream.make()]
      const server = yield* serve({ upstream: [silent, upstream], answerWithinMs: 1_000 })
      const before = performance.now()
      assert.deepStrictEqual(yield* addresses(server, known.name), [known.address])
      const took = performance.now() - before
      assert.isTrue(took >= 490 && took < 950, `${took} ms`)
      const alone = yield* serve({ upstream: [silent], answerWithinMs: 200 })
      assert.strictEqual(yield* rcode(alone, known.name), "SERVFAIL")
    }).pipe(Effect.scoped)
  )

  it.live("fails a name at once where nobody can be asked, itself least of all", () =>
    Effect.gen(function* () {
      const port = yield* FreePort.find
      const server = yield* serve({ port, upstream: [{ address, port }] })
      const nobody = { address, port: yield* FreePort.find }
      const refusing = yield* serve({ upstream: [nobody, nobody] })
      const before = performance.now()
      assert.strictEqual(yield* rcode(server, known.name), "SERVFAIL")
      assert.strictEqual(yield* rcode(refusing, known.name), "SERVFAIL")
      assert.isBelow(performance.now() - before, 1_000)
    }).pipe(Effect.scoped)
  )

  it.live("goes by the machine's file, and by what it says later", () =>
    Effect.gen(function* () {
      // Servers of such a file are at port 53, where a test may not listen: the two are told apart by their failure.
      const { layer, lines } = overheard()
      const resolverFile = join(tmpdir(), `resolv-${yield* FreePort.find}.conf`)
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(resolverFile, { force: true })))
      const say = (text: string) => writeFileSync(resolverFile, text)
      say("search example.com\nnameserver 127.1.2.3\n")
      yield* Effect.gen(function* () {
        const server = yield* serve({ upstream: undefined, resolverFile, resolverFileAgeMs: 0 })
        assert.strictEqual(yield* rcode(server, known.name), "SERVFAIL")
        yield* eventually(
          "the first is asked",
          Effect.sync(() => lines.join()),
          (all) => all.includes("127.1.2.3:53")
        )
        say("nameserver 127.3.2.1\n")
        const told = Effect.andThen(
          rcode(server, known.name),
          Effect.sync(() => lines.join())
        )
        yield* eventually("the second is asked", told, (all) => all.includes("127.3.2.1:53"))
      }).pipe(Effect.provide(layer))
    }).pipe(Effect.scoped)
  )

  it.live("lets no client have more than its share of what others wait for", () =>
    Effect.gen(function* () {
      const silent = yield* NameUpstream.make("is silent")
      const server = yield* serve({
        upstream: [silent],
        answerWithinMs: 2_000,
        waiting: { inAll: 8, ofOneClient: 2 },
        connections: { inAll: 4, ofOneClient: 2 }
      })
      const before = performance.now()
      const ask = Effect.map(rcode(server, known.name), (result) => ({ result, ms: performance.now() - before }))
      const all = yield* Effect.all(
        Array.from({ length: 6 }, () => ask),
        { concurrency: "unbounded" }
      )
      assert.isTrue(all.every(({ result }) => result === "SERVFAIL"))
      assert.strictEqual(all.filter(({ ms }) => ms < 1_500).length, 4)
      assert.strictEqual(silent.asked.length, 2)
      assert.deepStrictEqual(yield* addresses(server, "gateway"), ["10.89.0.3"])
    }).pipe(Effect.scoped)
  )

  it.live("closes connections beyond the limit, and those on which nothing comes", () =>
    Effect.gen(function* () {
      const server = yield* serve({ connections: { inAll: 4, ofOneClient: 2 }, connectionIdleMs: 300 })
      const closed = (after: number) =>
        Effect.callback<number>((resume) => {
          const before = performance.now()
          const socket = connect({ host: server.address, port: server.port })
          socket.on("error", () => undefined).resume()
          socket.on("close", () => resume(Effect.succeed(performance.now() - before)))
          return Effect.sync(() => socket.destroy())
        }).pipe(Effect.delay(after))
      const [first = 0, second = 0, third = 0] = yield* Effect.all([closed(0), closed(20), closed(60)], {
        concurrency: "unbounded"
      })
      assert.isTrue(first >= 290 && second >= 290, `${first} ${second}`)
      assert.isBelow(third, 200)
      assert.strictEqual(
        (yield* NameClient.byConnection(server, NameClient.framed(NameClient.query("gateway", "A")))).length,
        1
      )
    }).pipe(Effect.scoped)
  )

  it.live("says whether somebody else listens, and leaves nothing open then", () =>
    Effect.gen(function* () {
      const port = yield* FreePort.find
      const taken = createSocket("udp4")
      yield* Effect.callback<void>((resume) => void taken.bind(port, address, () => resume(Effect.void)))
      const failure = yield* Effect.flip(serve({ port }))
      assert.isTrue(failure.isTaken)
      assert.include(failure.message, `${address}:${port}`)
      // The port of connections, which was free, is free again.
      const free = createServer()
      yield* Effect.callback<void>((resume) => void free.listen(port, address, () => resume(Effect.void)))
      free.close()
      taken.close()
      const absent = yield* Effect.flip(serve({ address: "192.0.2.1", port }))
      assert.isFalse(absent.isTaken)
    }).pipe(Effect.scoped)
  )

  it.live("is gone with its scope, and so is what it waited for", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const silent = yield* NameUpstream.make("is silent")
      const server = yield* serve({ upstream: [silent] }).pipe(Scope.provide(scope))
      const waiting = yield* Effect.forkScoped(rcode(server, known.name))
      yield* eventually(
        "it is asked",
        Effect.sync(() => silent.asked.length),
        (count) => count === 1
      )
      const before = performance.now()
      yield* Scope.close(scope, Exit.void)
      assert.isBelow(performance.now() - before, 1_000)
      assert.isTrue(Option.isNone(yield* NameClient.byDatagram(server, NameClient.query("gateway", "A"), 200)))
      yield* serve({ port: server.port })
      assert.isUndefined(waiting.pollUnsafe())
    }).pipe(Effect.scoped)
  )
})
