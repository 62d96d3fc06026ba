/** What a caller is told of a function's answer, and of the lack of one. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { eventually } from "#test/support/Eventually"
import * as RoutedStack from "#test/support/RoutedStack"

/** Lets the function answer with this value. */
const answered = Effect.fnUntraced(function* (output: unknown) {
  const stack = yield* RoutedStack.RoutedStack
  return yield* stack.ask({ method: "POST", target: "/answer", body: JSON.stringify(output) })
})

const brokenText = `{"message": "Internal server error"}`

it.layer(RoutedStack.layer({ sample: "routes", environment: { POOL_ACQUIRE_TIMEOUT: "0.3" } }), RoutedStack.live)(
  "Answers of routed functions",
  (it) => {
    it.effect("status, headers and body are sent as the function said them", () =>
      Effect.gen(function* () {
        const answer = yield* answered({
          statusCode: 201,
          headers: { "X-Number": 7, "X-Truth": true, "content-type": "text/plain; charset=utf-8", "X-Latin": "é" },
          body: `{"ü": 1 }`
        })
        assert.strictEqual(answer.status, 201)
        assert.strictEqual(answer.text, `{"ü": 1 }`)
        assert.strictEqual(answer.header("x-number"), "7")
        assert.strictEqual(answer.header("x-truth"), "true")
        assert.strictEqual(answer.header("x-latin"), "é")
        assert.deepStrictEqual(answer.headerLines("content-type"), ["text/plain; charset=utf-8"])
        assert.strictEqual(answer.header("content-length"), String(answer.body.length))
      })
    )

    it.effect("a status may be text, and is 200 where there is none", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* answered({ statusCode: "418", body: "short and stout" })).status, 418)
        const answer = yield* answered({ body: "fine" })
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.header("content-type"), "application/json")
      })
    )

    it.effect("several cookies are several lines", () =>
      Effect.gen(function* () {
        const { headerLines } = yield* answered({
          statusCode: 200,
          multiValueHeaders: { "Set-Cookie": ["a=1; Path=/", "b=2; Expires=Thu, 01 Jan 2026 00:00:00 GMT"] },
          headers: { "set-cookie": "c=3" }
        })
        const cookies = ["a=1; Path=/", "b=2; Expires=Thu, 01 Jan 2026 00:00:00 GMT", "c=3"]
        assert.deepStrictEqual(headerLines("set-cookie"), cookies)
      })
    )

    it.effect("base64 becomes the bytes it stands for, when the function says that it is base64", () =>
      Effect.gen(function* () {
        const bytes = Buffer.from(Uint8Array.from({ length: 1024 }, (_, at) => at % 256))
        const body = bytes.toString("base64")
        const headers = { "content-type": "image/png" }
        const image = yield* answered({ statusCode: 200, headers, body, isBase64Encoded: true })
        assert.deepStrictEqual(image.body, bytes)
        assert.strictEqual(image.header("content-type"), "image/png")
        assert.strictEqual((yield* answered({ statusCode: 200, headers, body })).text, body)
      })
    )

    it.effect("headers of the connection are not the function's to say", () =>
      Effect.gen(function* () {
        const headers = { "Content-Length": "3", "Transfer-Encoding": "chunked", Connection: "close", Upgrade: "h2c" }
        const answer = yield* answered({ statusCode: 200, headers, body: "longer than three" })
        assert.strictEqual(answer.text, "longer than three")
        assert.strictEqual(answer.header("content-length"), "17")
        assert.strictEqual(answer.header("connection"), "keep-alive")
        assert.isUndefined(answer.header("upgrade"))
      })
    )

    it.effect("a status that allows no body has none", () =>
      Effect.gen(function* () {
        for (const statusCode of [204, 304]) {
          const answer = yield* answered({ statusCode, headers: { "x-kind": "empty" }, body: "ignored" })
          assert.strictEqual(answer.status, statusCode)
          assert.strictEqual(answer.text, "")
          assert.strictEqual(answer.header("x-kind"), "empty")
        }
      })
    )

    it.effect("an answer that is no response is a 502, and the log says why", () =>
      Effect.gen(function* () {
        const stack = yield* RoutedStack.RoutedStack
        const outputs: ReadonlyArray<readonly [unknown, string]> = [
          ["just text", "not a JSON object"],
          [null, "not a JSON object"],
          [{}, "it is empty"],
          [{ statusCode: "fine" }, `statusCode is "fine"`],
          [{ statusCode: 99 }, "statusCode is 99"],
          [{ statusCode: 200, body: { a: 1 } }, "body is not text"],
          [{ statusCode: 200, headers: { a: ["1"] } }, `none: "a"`],
          [{ statusCode: 200, headers: { "x-a": "1\r\nx-evil: 2" } }, `none: "x-a"`],
          [{ statusCode: 200, cookies: ["a=1"] }, `unknown key "cookies"`]
        ]
        for (const [output, why] of outputs) {
          const answer = yield* answered(output)
          assert.strictEqual(answer.status, 502, why)
          assert.strictEqual(answer.text, brokenText)
          assert.strictEqual(answer.header("content-type"), "application/json")
          assert.isUndefined(answer.header("x-evil"))
          yield* eventually(`stderr says why: ${why}`, Effect.sync(stack.stderr), (said) => said.includes(why))
        }
      })
    )

    it.effect("a function that fails or exits is a 502 that tells nothing of it", () =>
      Effect.gen(function* () {
        const stack = yield* RoutedStack.RoutedStack
        for (const target of ["/fail", "/exit", "/fail"]) {
          const answer = yield* stack.ask({ target })
          assert.strictEqual(answer.status, 502, target)
          assert.strictEqual(answer.text, brokenText, target)
        }
      })
    )

    it.effect("an answer larger than 6 MiB is a 502", () =>
      Effect.gen(function* () {
        const stack = yield* RoutedStack.RoutedStack
        assert.strictEqual((yield* stack.ask({ target: "/large" })).status, 502)
        assert.strictEqual((yield* answered({ statusCode: 200, body: "x".repeat(5_000_000) })).body.length, 5_000_000)
      })
    )

    it.effect("a function that takes longer than it may is a 504, in time", () =>
      Effect.gen(function* () {
        const stack = yield* RoutedStack.RoutedStack
        // How long a start takes is not the question here.
        assert.strictEqual((yield* stack.ask({ target: "/hang?answers=yes" })).status, 204)
        const before = performance.now()
        const answer = yield* stack.ask({ target: "/hang" })
        const took = performance.now() - before
        assert.strictEqual(answer.status, 504)
        assert.strictEqual(answer.text, `{"message": "Endpoint request timed out"}`)
        assert.isAtLeast(took, 1000)
        assert.isBelow(took, 2000)
      })
    )

    it.effect("a function all of whose workers are busy is a 429 that says when to come again", () =>
      Effect.gen(function* () {
        const stack = yield* RoutedStack.RoutedStack
        const slow = yield* Effect.forkChild(stack.ask({ target: "/single/3000" }))
        yield* eventually(
          "the only worker is busy",
          Effect.map(stack.askWithToken({ target: "/metrics/pools" }), ({ text }) => text),
          (text) => /"function_name":"single"[^}]*"busy":1/.test(text)
        )
        const answer = yield* stack.ask({ target: "/single/0" })
        assert.strictEqual(answer.status, 429)
        assert.strictEqual(answer.text, `{"message":"Too Many Requests"}`)
        assert.strictEqual(answer.header("retry-after"), "1")
        assert.strictEqual((yield* Fiber.join(slow)).status, 200)
        assert.strictEqual((yield* stack.ask({ target: "/single/0" })).status, 200)
      })
    )

    it.effect("every answer carries its ids, those of failures too", () =>
      Effect.gen(function* () {
        const stack = yield* RoutedStack.RoutedStack
        for (const target of ["/greeting", "/fail", "/nobody", "/account"]) {
          const answer = yield* stack.ask({ target, headers: { "x-amzn-trace-id": "1-5e1b4151-5ac6c58b" } })
          assert.lengthOf(answer.header("x-amzn-requestid") ?? "", 36, target)
          assert.strictEqual(answer.header("x-amzn-trace-id"), "1-5e1b4151-5ac6c58b", target)
        }
      })
    )
  }
)
