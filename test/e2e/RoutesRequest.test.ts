/** What a function is told of a request, and what becomes of requests that no function should see. */
import { request } from "node:http"
import { connect } from "node:net"
import { gzipSync } from "node:zlib"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { Answer } from "#test/support/HttpCaller"
import * as RawSocket from "#test/support/RawSocket"
import * as RoutedStack from "#test/support/RoutedStack"

interface Told {
  readonly functionName: string
  readonly requestId: string
  readonly traceId: string
  readonly event: {
    readonly body?: string
    readonly isBase64Encoded: boolean
    readonly headers: Readonly<Record<string, string>>
    readonly multiValueHeaders: Readonly<Record<string, ReadonlyArray<string>>>
    readonly requestContext: {
      readonly requestId: string
      readonly identity: { readonly sourceIp: string; readonly userAgent?: string }
    }
  }
}

const told = (answer: Answer): Told => {
  assert.strictEqual(answer.status, 200, answer.text)
  return answer.json() as Told
}

/** Posts a body to a route that tells what it got. */
const post = Effect.fnUntraced(function* (body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}) {
  const stack = yield* RoutedStack.RoutedStack
  return told(yield* stack.ask({ method: "POST", target: "/orders", body, headers })).event
})

const get = Effect.fnUntraced(function* (headers: Readonly<Record<string, string | Array<string>>>) {
  const stack = yield* RoutedStack.RoutedStack
  const answer = yield* stack.ask({ target: "/orders", headers })
  return { answer, ...told(answer) }
})

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const mebibyte = 1024 ** 2

it.layer(RoutedStack.layer({ sample: "routes" }), RoutedStack.live)("Routed requests", (it) => {
  it.effect("a body of text is told as it is, to the last character", () =>
    Effect.gen(function* () {
      const texts = [
        `{"a": 1,\n "b":"ü"}`,
        "日本 ✓ 🎈",
        "\ufeffwith a mark",
        '\u2028\u0000"\\',
        "a".repeat(2 * mebibyte)
      ]
      for (const text of texts) {
        const { body, isBase64Encoded } = yield* post(text)
        assert.isTrue(body === text, `${text.slice(0, 20)} came as ${body?.slice(0, 20)}`)
        assert.isFalse(isBase64Encoded)
      }
    })
  )

  it.effect("a body that is no text is told in base64", () =>
    Effect.gen(function* () {
      const bytes = Uint8Array.from({ length: 4096 }, (_, at) => (at * 7) % 256)
      const { body, isBase64Encoded } = yield* post(bytes, { "content-type": "application/octet-stream" })
      assert.isTrue(isBase64Encoded)
      assert.deepStrictEqual(Buffer.from(body ?? "", "base64"), Buffer.from(bytes))
    })
  )

  it.effect("a compressed body stays compressed, in base64", () =>
    Effect.gen(function* () {
      const zipped = gzipSync("hello")
      const { body, headers, isBase64Encoded } = yield* post(zipped, { "content-encoding": "gzip" })
      assert.isTrue(isBase64Encoded)
      assert.deepStrictEqual(Buffer.from(body ?? "", "base64"), zipped)
      assert.strictEqual(headers["content-encoding"], "gzip")
      const said = yield* post("no gzip at all", { "content-encoding": "gzip" })
      assert.deepStrictEqual(
        [said.body, said.isBase64Encoded],
        [Buffer.from("no gzip at all").toString("base64"), true]
      )
    })
  )

  it.effect("an empty body is no body", () =>
    Effect.gen(function* () {
      const event = yield* post("")
      assert.notProperty(event, "body")
      assert.isFalse(event.isBase64Encoded)
    })
  )

  it.effect("headers are told by lower-case names, the last value and all of them", () =>
    Effect.gen(function* () {
      const { event } = yield* get({ "X-Tag": ["one", "two"], "User-Agent": "a test", Cookie: "a=1; b=2" })
      assert.strictEqual(event.headers["x-tag"], "two")
      assert.deepStrictEqual(event.multiValueHeaders["x-tag"], ["one", "two"])
      assert.strictEqual(event.headers["cookie"], "a=1; b=2")
      assert.strictEqual(event.requestContext.identity.userAgent, "a test")
      assert.match(event.headers["host"] ?? "", /^127\.0\.0\.1:\d+$/)
    })
  )

  it.effect("every request gets an id of its own, which caller and function both are told", () =>
    Effect.gen(function* () {
      const first = yield* get({})
      const second = yield* get({})
      assert.match(first.requestId, uuid)
      assert.strictEqual(first.answer.header("x-amzn-requestid"), first.requestId)
      assert.strictEqual(first.event.requestContext.requestId, first.requestId)
      assert.notStrictEqual(second.requestId, first.requestId)
    })
  )

  it.effect("a trace goes through: in to the function, back to the caller in the caller's words", () =>
    Effect.gen(function* () {
      const root = "1-5e1b4151-5ac6c58b1b4c0a2f7d3e9f10"
      const cases: ReadonlyArray<readonly [string, string]> = [
        [`Root=${root}`, `Root=${root};Sampled=1`],
        [`Sampled=0;Root=${root};Parent=53995c3f42cd8ad8`, `Root=${root};Parent=53995c3f42cd8ad8;Sampled=0`],
        [root, `Root=${root};Sampled=1`],
        [`Root=${root};Lineage=a:1|b:2;Sampled=?`, `Root=${root};Sampled=?`]
      ]
      for (const [sent, seen] of cases) {
        const { answer, traceId } = yield* get({ "x-amzn-trace-id": sent })
        assert.strictEqual(traceId, seen)
        assert.strictEqual(answer.header("x-amzn-trace-id"), sent)
      }
    })
  )

  it.effect("a request without a trace, or with what is none, begins one", () =>
    Effect.gen(function* () {
      for (const headers of [{}, { "x-amzn-trace-id": "Sampled=1" }, { "x-amzn-trace-id": "Root=<x>" }]) {
        const { answer, traceId } = yield* get(headers)
        assert.match(traceId, /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Sampled=1$/)
        assert.strictEqual(answer.header("x-amzn-trace-id"), traceId)
      }
    })
  )

  it.effect("nobody is believed about the caller's address who is not a trusted proxy", () =>
    Effect.gen(function* () {
      const { event } = yield* get({ "x-forwarded-for": "203.0.113.9" })
      assert.strictEqual(event.requestContext.identity.sourceIp, "127.0.0.1")
      assert.strictEqual(event.headers["x-forwarded-for"], "203.0.113.9")
    })
  )

  it.effect("a body of 7 MiB is refused with 413, whether its length is announced or not", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const body = new Uint8Array(7 * mebibyte)
      for (const headers of [{ "content-length": String(body.length) }, { "transfer-encoding": "chunked" }]) {
        const answer = yield* stack.ask({ method: "POST", target: "/orders", body, headers })
        assert.strictEqual(answer.status, 413)
        assert.include((answer.json() as { readonly message: string }).message, "6291456 bytes")
        assert.match(answer.header("x-amzn-requestid") ?? "", uuid)
      }
      assert.strictEqual((yield* post("still here")).body, "still here")
    })
  )

  it.effect("a body that fits but whose event would not is refused as well", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const body = new Uint8Array(5 * mebibyte).fill(0xff)
      assert.strictEqual((yield* stack.ask({ method: "POST", target: "/orders", body })).status, 413)
    })
  )

  it.effect("a caller who sends drop by drop is waited for, and nobody waits with him", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const [drops, everyMs] = [40, 25]
      const slow = yield* Effect.forkChild(dripped(stack.ready.gateway, drops, everyMs))
      let others = 0
      while (slow.pollUnsafe() === undefined) {
        const before = performance.now()
        yield* get({})
        assert.isBelow(performance.now() - before, drops * everyMs)
        others++
      }
      const { event } = JSON.parse(yield* Fiber.join(slow)) as Told
      assert.strictEqual(event.body, "x".repeat(drops))
      assert.isAbove(others, 10)
    })
  )

  it.effect("a caller who leaves in the middle of his body calls no function", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const [stays, leaves] = ["1-5e1b4151-00000000000000000000000a", "1-5e1b4151-00000000000000000000000b"]
      const head = (trace: string) => `POST /orders HTTP/1.1\r\nHost: localhost\r\nX-Amzn-Trace-Id: ${trace}\r\n`
      const half = RawSocket.exchange(stack.ready.gateway, `${head(leaves)}Content-Length: 100\r\n\r\nhalf`)
      const leaving = yield* Effect.forkChild(half)
      yield* Effect.sleep("100 millis")
      yield* Fiber.interrupt(leaving)
      yield* stack.ask({ method: "POST", target: "/orders", headers: { "x-amzn-trace-id": stays }, body: "all" })
      const called = yield* startsIn(stack)
      assert.isTrue(called.some((trace) => trace.includes(stays)))
      assert.isFalse(called.some((trace) => trace.includes(leaves)))
    })
  )

  it.effect("requests that are no HTTP are refused by the connection, and the next one is served", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const bad = [
        "GET /orders HTTP/1.1\r\nHost: localhost\r\nX-Evil: a\x01b\r\n\r\n",
        "GET /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /orders HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n",
        "\x16\x03\x01 no tls here\r\n\r\n"
      ]
      for (const bytes of bad) {
        assert.match(yield* RawSocket.exchange(stack.ready.gateway, bytes), /^HTTP\/1\.1 400 Bad Request\r\n/)
      }
      const long = `GET /orders HTTP/1.1\r\nHost: localhost\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`
      assert.match(yield* RawSocket.exchange(stack.ready.gateway, long), /^HTTP\/1\.1 431 /)
      assert.strictEqual((yield* post("next")).body, "next")
    })
  )

  it.effect("an offer to speak another protocol is passed over, and the connection serves the next request", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const host = "Host: localhost\r\n"
      for (const offer of ["h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "websocket\r\nSec-WebSocket-Version: 13"]) {
        const first =
          `POST /orders HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: ${offer}\r\n` +
          `Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n`
        const second = `POST /orders HTTP/1.1\r\n${host}Connection: close\r\nContent-Length: 6\r\n\r\nsecond`
        const answers = yield* inTurn(stack.ready.gateway, first, second)
        assert.lengthOf(answers.match(/HTTP\/1\.1 200 OK/g) ?? [], 2, answers)
        assert.include(answers, `"body":"first"`)
        assert.include(answers, `"body":"second"`)
      }
    })
  )

  it.effect("methods and paths the router does not know are answered like any other that no route answers", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const strange = [
        { method: "PROPFIND", target: "/orders" },
        { method: "TRACE", target: "/nobody" },
        { target: "/nobody/%zz" },
        { target: `/nobody/${"x".repeat(5000)}` }
      ]
      for (const question of strange) {
        const answer = yield* stack.ask(question)
        assert.strictEqual(answer.status, 404, question.target.slice(0, 40))
        assert.strictEqual(answer.text, `{"message":"Not Found"}`)
        assert.match(answer.header("x-amzn-requestid") ?? "", uuid)
      }
    })
  )
})

/** Writes one request, and on the same connection another when there is an answer. */
const inTurn = (origin: string, first: string, second: string): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const { hostname, port } = new URL(origin)
    let answers = ""
    const socket = connect(Number(port), hostname)
    socket.setEncoding("latin1").on("data", (text: string) => (answers += text))
    socket.once("data", () => socket.write(second))
    socket.on("error", (error) => resume(Effect.die(error)))
    socket.on("close", () => resume(Effect.succeed(answers)))
    socket.write(first)
    return Effect.sync(() => socket.destroy())
  })

/** The traces of all calls that reached a function. */
const startsIn = Effect.fnUntraced(function* (stack: RoutedStack.Running) {
  const { stdout } = yield* stack.esb("logs", "--json", "--since", "1h")
  const lines = stdout.trim().split("\n")
  const records = lines.map((line) => JSON.parse(line) as { readonly message: string; readonly traceId?: string })
  return records.flatMap(({ message, traceId }) => (message.startsWith("START ") ? [traceId ?? ""] : []))
})

/** Posts one character at a time. */
const dripped = (origin: string, drops: number, everyMs: number): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const sent = request(`${origin}/orders`, { method: "POST" }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
      response.on("end", () => resume(Effect.succeed(text)))
    })
    sent.on("error", (error) => resume(Effect.die(error)))
    let left = drops
    const timer = setInterval(() => {
      if (left-- > 0) return sent.write("x")
      clearInterval(timer)
      return sent.end()
    }, everyMs)
    return Effect.sync(() => {
      clearInterval(timer)
      sent.destroy()
    })
  })

it.layer(
  RoutedStack.layer({ sample: "routes", environment: { TRUSTED_PROXIES: "127.0.0.1,10.0.0.0/8" } }),
  RoutedStack.live
)("Requests through a trusted proxy", (it) => {
  it.effect("carry the address of the last hop that is none of ours", () =>
    Effect.gen(function* () {
      const chains: ReadonlyArray<readonly [string, string]> = [
        ["203.0.113.9", "203.0.113.9"],
        ["203.0.113.9, 10.1.2.3", "203.0.113.9"],
        // What a caller writes in front of a chain is his own invention.
        ["1.1.1.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"],
        ["10.1.2.3", "10.1.2.3"],
        ["2001:db8::1", "2001:db8::1"]
      ]
      for (const [chain, address] of chains) {
        const { event } = yield* get({ "x-forwarded-for": chain })
        assert.strictEqual(event.requestContext.identity.sourceIp, address, chain)
      }
      assert.strictEqual((yield* get({})).event.requestContext.identity.sourceIp, "127.0.0.1")
    })
  )
})
