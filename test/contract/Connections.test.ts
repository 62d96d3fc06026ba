import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Connections from "#programs/gateway/Connections"
import { eventually } from "#test/support/Eventually"
import * as HttpCaller from "#test/support/HttpCaller"

const listening = Effect.acquireRelease(
  Effect.callback<Server>((resume) => {
    const server = Connections.tend(createServer())
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) =>
    Effect.sync(() => {
      server.close()
    })
)

const originOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const openConnections = (server: Server) =>
  Effect.callback<number>((resume) => {
    server.getConnections((_, count) => resume(Effect.succeed(count)))
  })

const answers = (server: Server, text: string) =>
  server.on("request", (incoming, response) => {
    incoming.resume()
    response.end(`${text} ${incoming.url}`)
  })

describe("Connections", () => {
  it.live("requests that come before anybody listens wait, and are answered in their order", () =>
    Effect.gen(function* () {
      const server = yield* listening
      const asking = yield* Effect.forkChild(
        Effect.forEach(["/1", "/2", "/3"], (target) => HttpCaller.ask(originOf(server), { target }), {
          concurrency: "unbounded"
        })
      )
      yield* eventually("three callers wait", openConnections(server), (count) => count === 3)
      const seen: Array<string | undefined> = []
      server.on("request", (incoming) => seen.push(incoming.url))
      answers(server, "here is")
      assert.deepStrictEqual(
        (yield* Fiber.join(asking)).map(({ text }) => text),
        ["here is /1", "here is /2", "here is /3"]
      )
      assert.deepStrictEqual(seen.toSorted(), ["/1", "/2", "/3"])
      assert.strictEqual((yield* HttpCaller.ask(originOf(server), { target: "/4" })).text, "here is /4")
      assert.strictEqual(seen.length, 4)
    })
  )

  it.live("a request whose caller has left meanwhile is not answered", () =>
    Effect.gen(function* () {
      const server = yield* listening
      const leaving = yield* Effect.forkChild(HttpCaller.ask(originOf(server), { target: "/left" }))
      yield* eventually("he waits", openConnections(server), (count) => count === 1)
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(leaving)
      yield* eventually("he has left", openConnections(server), (count) => count === 0)
      const seen: Array<string | undefined> = []
      server.on("request", (incoming) => seen.push(incoming.url))
      answers(server, "here is")
      yield* HttpCaller.ask(originOf(server), { target: "/next" })
      assert.deepStrictEqual(seen, ["/next"])
    })
  )

  it.live("a request that is being answered when the listener closes does not keep its connection", () =>
    Effect.gen(function* () {
      const server = yield* listening
      const inHand: Array<() => void> = []
      server.on("request", (incoming, response) => {
        if (incoming.url === "/begun") response.write("begun")
        inHand.push(() => response.end(" and ended"))
      })
      const ask = (target: string) => Effect.forkChild(HttpCaller.ask(originOf(server), { target }))
      const [plain, begun] = yield* Effect.all([ask("/plain"), ask("/begun")])
      yield* eventually(
        "both are in hand",
        Effect.sync(() => inHand.length),
        (count) => count === 2
      )
      const closed = yield* Effect.forkChild(
        Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
      )
      yield* Effect.yieldNow
      for (const answer of inHand) answer()
      assert.deepStrictEqual(
        [(yield* Fiber.join(plain)).header("connection"), (yield* Fiber.join(begun)).text],
        ["close", "begun and ended"]
      )
      yield* Effect.timeout(Fiber.join(closed), "2 seconds")
    })
  )

  it.live("a request that is on its way when the listener closes is answered, as the last of its connection", () =>
    Effect.gen(function* () {
      const server = yield* listening
      answers(server, "here is")
      assert.strictEqual((yield* HttpCaller.ask(originOf(server), { target: "/1" })).header("connection"), "keep-alive")
      const origin = originOf(server)
      const closed = yield* Effect.forkChild(
        Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
      )
      yield* Effect.yieldNow
      const last = yield* HttpCaller.ask(origin, { target: "/2" })
      assert.deepStrictEqual([last.text, last.header("connection")], ["here is /2", "close"])
      yield* Fiber.join(closed)
      assert.strictEqual((yield* Effect.flip(HttpCaller.ask(origin, { target: "/3" }))).code, "ECONNREFUSED")
    })
  )
})
