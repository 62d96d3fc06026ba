/** What becomes of connections to an Agent that are cut, kept, or misused. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import { connect } from "node:http2"
import { connect as connectTcp } from "node:net"
import { eventually } from "#test/support/Eventually"
import * as Foreign from "#test/support/ForeignAgentClient"
import * as ForeignAgentCalls from "#test/support/ForeignAgentCalls"
import * as Held from "#test/support/Held"
import type { MemoryAgentOptions } from "#test/support/MemoryAgent"

const event = Buffer.from("{}")

const withAgent = (test: ForeignAgentCalls.Test, options: MemoryAgentOptions) => ForeignAgentCalls.using(options, test)

it.live("a connection that is cut ends the calls on it", () => {
  const { inside, waits } = Held.make()
  return withAgent(
    ({ port, start }) =>
      Effect.gen(function* () {
        const cut = Effect.fnUntraced(function* (id: string) {
          const arrivals = inside.came
          const session = connect(`http://127.0.0.1:${port}`)
          session.on("error", () => undefined)
          const request = { container_id: id, owner_id: "mine", payload: event }
          const { bytes, path } = Foreign.encoded(ForeignAgentCalls.Agents, "InvokeWorker", request)
          const head = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" }
          const stream = session.request(head)
          stream.on("error", () => undefined)
          stream.end(Foreign.framed(bytes))
          yield* eventually(
            "the call arrives",
            Effect.sync(() => inside.came),
            (came) => came > arrivals
          )
          session.destroy()
        })
        for (let n = 0; n < 20; n += 1) yield* cut(yield* start("waits"))
        yield* eventually(
          "nobody is inside",
          Effect.sync(() => inside.came - inside.left),
          (count) => count === 0
        )
        assert.strictEqual(inside.left, 20)
      }),
    { functions: { waits } }
  )
})

it.live("a client that asks often whether the server is there keeps its connection", () =>
  withAgent(
    ({ lines, port }) =>
      Effect.gen(function* () {
        const channel = { "grpc.keepalive_time_ms": 20, "grpc.keepalive_permit_without_calls": 1 }
        const client = yield* Foreign.connect(ForeignAgentCalls.Agents, port, { channel })
        for (let n = 0; n < 3; n += 1) {
          yield* Foreign.call(client, "ListContainers", { owner_id: "mine" })
          yield* Effect.sleep(300)
        }
        const peers = lines.flatMap(({ annotations }) => annotations["peer"] ?? [])
        assert.strictEqual(peers.length, 3)
        assert.strictEqual(new Set(peers).size, 1)
      }),
    {}
  )
)

it.live("a connection on which something else than gRPC is spoken is closed, and others go on", () =>
  withAgent(
    ({ call, port }) =>
      Effect.gen(function* () {
        const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        const words = [
          "GET / HTTP/1.1\r\nHost: agent\r\n\r\n",
          "\x16\x03\x01\x02\x00",
          `${preface}${"\xff".repeat(64)}`
        ]
        for (const said of [...words, randomBytes(4_096).toString("latin1")]) {
          const isClosed = Effect.callback<boolean>((resume) => {
            const socket = connectTcp(port, "127.0.0.1", () => socket.write(said, "latin1"))
            socket.resume()
            socket.on("error", () => undefined)
            socket.on("close", () => resume(Effect.succeed(true)))
            return Effect.sync(() => socket.destroy())
          })
          assert.isTrue(yield* isClosed)
          yield* call("ListContainers", { owner_id: "mine" })
        }
      }),
    {}
  )
)
