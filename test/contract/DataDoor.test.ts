import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { request as sendRequest } from "node:http"
import { connect } from "node:tls"
import { limits } from "#domain/Invocation"
import { type Asked, type Bench, mine, type Options, theirs, withBench } from "#test/support/DataDoorBench"
import { eventually } from "#test/support/Eventually"
import { heard } from "#test/support/OpenDoor"

const owned = { "esb-owner": mine }

/** Everything the door says until it closes the connection. */
const said = ({ connect }: Bench, bytes: string): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const socket = connect()
    let heard = ""
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.toString("latin1")
    })
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.succeed(heard)))
    socket.write(bytes)
    return Effect.sync(() => socket.destroy())
  })

const callsOf = (bench: Bench) => Effect.sync(() => bench.dataDoor.callsInFlight())

const suite = (name: string, base: Options) => {
  const withDoor = (options: Options, test: Parameters<typeof withBench>[1]) => withBench({ ...base, ...options }, test)

  describe(`the data door (${name})`, () => {
    it.live(
      "tells every refusal as itself, with its status",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const other = yield* bench.open(theirs)
          const [ours, foreign] = [`/workers/${bench.worker.id}`, `/workers/${other.worker.id}`]
          const post: Asked = { method: "POST", headers: owned, body: "{}" }
          const refusals: ReadonlyArray<
            readonly [path: string, asked: Asked, status: number, tag: string | undefined]
          > = [
            ["/", { headers: owned }, 404, "RouteNotFound"],
            ["/workers/", { headers: owned }, 404, "RouteNotFound"],
            ["/workers//invocations", post, 404, "RouteNotFound"],
            ["/workers/%zz/invocations", post, 404, "RouteNotFound"],
            [ours, { headers: owned }, 404, "RouteNotFound"],
            [`${ours}/invocations`, { headers: owned }, 405, undefined],
            [`${ours}/ready`, post, 405, undefined],
            ["/logs", post, 405, undefined],
            ["/pulse", post, 405, undefined],
            [`${ours}/invocations`, { method: "POST", body: "{}" }, 400, "InvalidParameter"],
            [`${ours}/ready`, { headers: { "esb-owner": "  " } }, 400, "InvalidParameter"],
            ["/logs", {}, 400, "InvalidParameter"],
            [`${foreign}/invocations`, post, 403, "NotOwner"],
            [`${foreign}/ready`, { headers: owned }, 403, "NotOwner"],
            ["/workers/nobody/invocations", post, 404, "ContainerNotFound"],
            ["/workers/nobody/ready", { headers: owned }, 404, "ContainerNotFound"]
          ]
          for (const [path, asked, status, tag] of refusals) {
            const refusal = yield* bench.ask(path, asked)
            assert.deepStrictEqual([path, refusal.status, refusal.headers["esb-failure"]], [path, status, tag])
            if (tag !== undefined) assert.deepInclude(refusal.json(), { _tag: tag })
            else assert.match(refusal.headers.allow ?? "", /^(GET|POST)$/)
          }
          assert.strictEqual(other.door.callCount(), 0)
          assert.strictEqual(bench.door.callCount(), 0)
        })
      )
    )

    it.live(
      "gives a sign of life to everybody it lets in",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const pulse = yield* bench.ask("/pulse")
          assert.deepStrictEqual([pulse.status, pulse.body.length], [204, 0])
        })
      )
    )

    it.live(
      "answers in one piece with its length, and without a date",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const polled = bench.runtime.next()
          const asked = yield* Effect.forkScoped(
            bench.ask(`/workers/${bench.worker.id}/invocations`, { method: "POST", headers: owned, body: "[1]" })
          )
          const event = yield* heard(polled)
          assert.strictEqual(event.body.toString(), "[1]")
          const id = String(event.headers["lambda-runtime-aws-request-id"])
          assert.match(id, /^[0-9a-f-]{36}$/)
          assert.strictEqual(
            event.headers["lambda-runtime-invoked-function-arn"],
            "arn:aws:lambda:us-east-1:000000000000:function:orders"
          )
          yield* heard(bench.runtime.respond(id, "[2]", { "content-type": "text/plain" }))
          const answer = yield* Fiber.join(asked)
          assert.strictEqual(answer.body.toString(), "[2]")
          assert.deepInclude(answer.headers, { "content-type": "text/plain", "content-length": "3" })
          assert.notProperty(answer.headers, "date")
          assert.notProperty(answer.headers, "transfer-encoding")
        })
      )
    )

    it.live(
      "hands over no event that is too long, and says so",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          bench.runtime.next().catch(() => undefined)
          const body = Buffer.alloc(limits.requestBytes + 1)
          const path = `/workers/${bench.worker.id}/invocations`
          const refusal = yield* bench.ask(path, { method: "POST", headers: owned, body })
          assert.deepStrictEqual([refusal.status, refusal.headers["esb-failure"]], [413, "PayloadTooLarge"])
          assert.strictEqual(bench.door.callCount(), 0)
        })
      )
    )

    it.live(
      "hands over no call whose id could not stand in a header",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          bench.runtime.next().catch(() => undefined)
          const path = `/workers/${bench.worker.id}/invocations`
          const headers = { ...owned, "x-amzn-requestid": "a%0D%0Ab" }
          const refusal = yield* bench.ask(path, { method: "POST", headers, body: Buffer.from("{}") })
          assert.deepStrictEqual([refusal.status, refusal.headers["esb-failure"]], [400, "InvalidParameter"])
          assert.strictEqual(bench.door.callCount(), 0)
        })
      )
    )

    it.live(
      "hands over no half of an event",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          bench.runtime.next().catch(() => undefined)
          yield* bench.client.ready(bench.worker)
          const request = sendRequest({
            path: `/workers/${bench.worker.id}/invocations`,
            method: "POST",
            headers: { ...owned, "content-length": "1000" },
            createConnection: bench.connect
          })
          request.on("error", () => undefined)
          request.write("half of")
          yield* Effect.sleep(30)
          request.destroy()
          yield* Effect.sleep(30)
          assert.deepStrictEqual([bench.dataDoor.callsInFlight(), bench.door.callCount()], [0, 0])
          assert.strictEqual(bench.api.phase(bench.worker.id), "idle")
        })
      )
    )

    it.live(
      "lets a call run to its end whose Gateway was killed",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const polled = bench.runtime.next()
          const request = sendRequest({
            path: `/workers/${bench.worker.id}/invocations`,
            method: "POST",
            headers: { ...owned, "x-amzn-requestid": "5ca1ab1e" },
            createConnection: bench.connect
          })
          request.on("error", () => undefined)
          request.end("{}")
          yield* heard(polled)
          request.destroy()
          yield* Effect.sleep(30)
          assert.strictEqual(bench.dataDoor.callsInFlight(), 1)
          assert.strictEqual((yield* heard(bench.runtime.respond("5ca1ab1e", "{}"))).status, 202)
          yield* eventually("the call is over", callsOf(bench), (count) => count === 0)
          bench.runtime.next().catch(() => undefined)
          yield* eventually(
            "the worker is free",
            Effect.sync(() => bench.api.phase(bench.worker.id)),
            (phase) => phase === "idle"
          )
        })
      )
    )

    it.live(
      "streams only to who takes trailers",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          for (const te of [undefined, "trailers"]) {
            const polled = bench.runtime.next()
            const headers = { ...owned, ...(te === undefined ? {} : { te }) }
            const asked = yield* Effect.forkScoped(
              bench.ask(`/workers/${bench.worker.id}/invocations`, { method: "POST", headers, body: "{}" })
            )
            const id = String((yield* heard(polled)).headers["lambda-runtime-aws-request-id"])
            yield* heard(
              bench.runtime.respond(id, "all of it", { "lambda-runtime-function-response-mode": "streaming" })
            )
            const answer = yield* Fiber.join(asked)
            assert.strictEqual(answer.body.toString(), "all of it")
            const [place, other] =
              te === undefined ? [answer.headers, answer.trailers] : [answer.trailers, answer.headers]
            assert.property(place, "esb-duration-ms")
            assert.notProperty(other, "esb-duration-ms")
          }
        })
      )
    )

    it.live(
      "refuses what is no HTTP, and goes on",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const head = `POST /workers/${bench.worker.id}/invocations HTTP/1.1\r\nhost: a\r\nesb-owner: ${mine}\r\n`
          const lies: ReadonlyArray<readonly [bytes: string, status: string]> = [
            ["nonsense\r\n\r\n", "400"],
            [`${head}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, "400"],
            [`${head}content-length: many\r\n\r\n`, "400"],
            [`${head}transfer-encoding: chunked\r\n\r\nzz\r\n`, "400"],
            // Who still writes when the connection closes may never read why.
            [`${head}x: ${"y".repeat(200_000)}\r\n\r\n`, "431|$"]
          ]
          for (const [bytes, status] of lies)
            assert.match(yield* said(bench, bytes), new RegExp(`^(HTTP/1.1 )?(${status})`))
          assert.strictEqual(bench.door.callCount(), 0)
          assert.strictEqual((yield* bench.ask("/pulse")).status, 204)
        })
      )
    )

    it.live(
      "gives up a request that takes too long to arrive",
      withDoor({ door: { headersLimitMs: 100, requestLimitMs: 200 } }, (bench) =>
        Effect.gen(function* () {
          const head = `POST /workers/${bench.worker.id}/invocations HTTP/1.1\r\nhost: a\r\nesb-owner: ${mine}\r\n`
          const slow = yield* Effect.all([said(bench, head), said(bench, `${head}content-length: 10\r\n\r\n12345`)], {
            concurrency: 2
          })
          for (const answer of slow) assert.match(answer, /^HTTP\/1.1 408 /)
          assert.strictEqual(bench.door.callCount(), 0)
        })
      )
    )

    it.live(
      "counts whoever asks as there",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          assert.isFalse(bench.seen.includes(mine))
          yield* bench.ask("/workers/nobody/ready", { headers: owned })
          assert.isTrue(bench.seen.includes(mine))
        })
      )
    )
  })
}

suite("in the clear", {})
suite("TLS", { tls: true })

describe("the data door with certificates", () => {
  it.live(
    "reads nothing of who shows none",
    withBench({ tls: true }, (bench) =>
      Effect.gen(function* () {
        const stranger = () => connect({ port: bench.dataDoor.port, rejectUnauthorized: false })
        const answer = yield* said({ ...bench, connect: stranger }, "GET /pulse HTTP/1.1\r\nhost: a\r\n\r\n")
        assert.strictEqual(answer, "")
      })
    )
  )
})
