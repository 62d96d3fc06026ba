/** Workers of containerd look up names, of which their Agent is the server. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { createSocket } from "node:dgram"
import { once } from "node:events"
import { type AddressInfo, createServer } from "node:net"
import * as AgentStack from "#test/support/AgentStack"
import * as Cli from "#test/support/Cli"
import * as ContainerdStack from "#test/support/ContainerdStack"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import * as FunctionImage from "#test/support/FunctionImage"
import * as NameClient from "#test/support/NameClient"
import * as NameUpstream from "#test/support/NameUpstream"

const { known, long } = NameUpstream

const own = { gateway: "10.201.0.3", store: "10.201.0.4" }
const namesOfOwn = `gateway=${own.gateway}, s3-storage=${own.store}, *.s3-storage=${own.store}`

const settings = Effect.map(ContainerdStack.settings, (given) => ({ ...given, WORKER_FENCE: "on" }))

const imported = Effect.fnUntraced(function* (archive: Promise<{ readonly path: string; readonly reference: string }>) {
  const { ctr } = yield* ContainerdWorkers.Machine
  const { path, reference } = yield* Effect.promise(() => archive)
  yield* ctr("images", "import", path)
  return reference
})

/** Images that have nothing, or something else, where every worker gets its name server. */
const images = Effect.gen(function* () {
  const { reference: usual } = yield* Effect.promise(() => FunctionImage.archive())
  const bare = { "etc/resolv.conf": undefined, "etc/hosts": undefined }
  // As systems with systemd-resolved have it: to a file that is not there.
  const linked = { "etc/resolv.conf": { link: "../run/systemd/resolve/stub-resolv.conf" } }
  return {
    usual,
    bare: yield* imported(FunctionImage.archiveWith("bare", bare)),
    linked: yield* imported(FunctionImage.archiveWith("linked", linked))
  }
})

/** Says a byte to whoever comes, at an address of the machine; its port. */
const listener = (host: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = createServer((socket) => void socket.on("error", () => undefined).end("X")).listen(0, host)
      await once(server, "listening")
      return server
    }),
    (server) => Effect.sync(() => server.close())
  ).pipe(Effect.map((server) => (server.address() as AddressInfo).port))

const live = { ...AgentStack.live, timeout: "90 seconds" } as const

describe("names of workers", needs("containerd", "cni", "packet-filter"), () => {
  it.layer(
    Layer.merge(AgentStack.layer, ContainerdWorkers.machine()),
    live
  )((it) => {
    it.effect(
      "are told by the Agent, by datagrams and connections, whatever their image has, and through the fence",
      () =>
        Effect.gen(function* () {
          const stack = yield* AgentStack.Shared
          const upstream = yield* NameUpstream.make()
          const { bare, linked, usual } = yield* images
          const address = yield* ContainerdStack.gateway
          const agent = yield* stack.agent({
            ...(yield* settings),
            AGENT_HOST: "0.0.0.0",
            AGENT_DNS: "on",
            AGENT_DNS_NAMES: namesOfOwn,
            AGENT_DNS_UPSTREAM: `${upstream.address}:${upstream.port}`
          })
          const elsewhere = yield* listener(address)
          assert.include(agent.stderr(), `This Agent serves names at ${address}: 3 names of AGENT_DNS_NAMES`)
          const entry = (image: string, handler: string) => ({ image, handler: `index.${handler}`, timeout: 10 })
          const gateway = yield* stack.gateway([agent.address], {
            functions: {
              names: entry(usual, "names"),
              bare: entry(bare, "names"),
              linked: entry(linked, "names"),
              read: entry(bare, "read"),
              texts: entry(usual, "texts"),
              visit: entry(usual, "visit")
            }
          })
          const call = (name: string, event: unknown) =>
            Effect.map(gateway.call(name, event), (answer) => {
              assert.strictEqual(answer.status, 200, `${answer.text} ${gateway.stderr()} ${agent.stderr()}`)
              return answer.json()
            })
          const asked = ["gateway", "s3-storage", "photos.s3-storage", "my.photos.s3-storage", "x.gateway"].concat(
            known.name,
            "absent.test"
          )
          const told = [own.gateway, own.store, own.store, own.store, "ENOTFOUND", known.address, "ENOTFOUND"]
          for (const name of ["names", "bare", "linked"])
            assert.deepStrictEqual(yield* call(name, { names: asked }), told)
          assert.deepStrictEqual(yield* call("read", { path: "/etc/resolv.conf" }), { text: `nameserver ${address}\n` })

          // Cut where it comes as a datagram, so that it came by a connection.
          assert.strictEqual(yield* call("texts", { name: long.name }), long.text.length)
          const visit = (host: string, port: number) => call("visit", { host, port, path: "/" })
          assert.deepStrictEqual(yield* visit(address, elsewhere), { bytes: 0 })
          assert.deepStrictEqual(yield* visit(address, Number(new URL(agent.url).port)), { bytes: 0 })
          const other = yield* NameUpstream.make("answers", address)
          const server = `${address}:${other.port}`
          assert.strictEqual(yield* call("texts", { name: long.name, server }), "ECONNREFUSED")
          assert.deepStrictEqual(other.asked, [])
        })
    )
  })

  it.layer(
    Layer.merge(AgentStack.layer, ContainerdWorkers.machine()),
    live
  )((it) => {
    it.effect("are not told where workers ask another, where another answers, and where the Agent is told not to", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const address = yield* ContainerdStack.gateway
        const server = { address, port: 53 }
        const asked = NameClient.byDatagram(server, NameClient.query("gateway", "A"), 300)
        const agent = yield* stack.agent({ ...(yield* settings), AGENT_DNS_NAMES: namesOfOwn })
        assert.include(
          agent.stderr(),
          `This Agent serves names at ${address}: 3 names of AGENT_DNS_NAMES, and all others by`
        )
        assert.strictEqual((yield* asked)._tag, "Some")

        assert.strictEqual(yield* agent.stop, 0)
        assert.strictEqual((yield* asked)._tag, "None")
        const another = createSocket("udp4")
        yield* Effect.callback<void>((resume) => void another.bind(53, address, () => resume(Effect.void)))
        yield* agent.start()
        assert.include(agent.stderr(), `This Agent serves no names: somebody else listens there, at ${address}`)
        assert.strictEqual(yield* agent.stop, 0)
        const insisting = { ...stack.agentSettings(), ...(yield* settings), AGENT_DNS: "on" }
        const refused = yield* Cli.runProgram("agent", [], { environment: insisting })
        assert.strictEqual(refused.code, 1, refused.stderr)
        assert.include(
          refused.stderr,
          `AGENT_DNS (--dns) is on, and no name server can listen at ${address}:53: somebody else listens there`
        )
        another.close()

        yield* agent.start({ AGENT_DNS: "off" })
        assert.include(agent.stderr(), `AGENT_DNS is off: workers ask ${address} for names`)
        assert.strictEqual((yield* asked)._tag, "None")
        yield* agent.stop
        yield* agent.start({ AGENT_DNS: "auto", CNI_DNS_SERVER: "192.0.2.53" })
        assert.include(agent.stderr(), "This Agent serves no names: workers ask 192.0.2.53 for names")
        assert.strictEqual((yield* asked)._tag, "None")
      })
    )

    it.effect("that cannot be read stop the Agent, each with its setting", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const wrong = {
          AGENT_DNS_NAMES: "gateway=10.0.0.3,s3-storage",
          AGENT_DNS_UPSTREAM: "10.0.0.2,dns.example",
          CNI_DNS_SERVER: "dns"
        }
        const environment = { ...stack.agentSettings(), ...(yield* settings), ...wrong }
        const { code, stderr } = yield* Cli.runProgram("agent", [], { environment })
        assert.strictEqual(code, 2, stderr)
        assert.include(stderr, 'AGENT_DNS_NAMES (--dns-names) has "s3-storage": expected a name and an address')
        assert.include(stderr, 'AGENT_DNS_UPSTREAM (--dns-upstream) has "dns.example": expected an address')
        assert.include(stderr, 'CNI_DNS_SERVER (--cni-dns-server) is "dns": expected an address')
      })
    )
  })
})
