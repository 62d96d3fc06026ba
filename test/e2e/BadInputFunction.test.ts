/** Functions that flood, starve or smuggle: the call ends as documented, and everybody else is served meanwhile. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { eventually } from "#test/support/Eventually"
import * as HttpCaller from "#test/support/HttpCaller"
import * as Stack from "#test/support/Stack"

/** What a function answers on its route, as the caller of the route sees it. */
const routed = Effect.fnUntraced(function* (answer: unknown) {
  const { gateway } = yield* Stack.Running
  return yield* HttpCaller.ask(gateway, { method: "POST", target: "/answer", body: JSON.stringify(answer) })
})

/** The log of a call once its last line is stored. */
const wholeLog = Effect.fnUntraced(function* (requestId: string | undefined) {
  const stack = yield* Stack.Running
  return yield* eventually(
    "the REPORT line is stored",
    Stack.logOf(stack, requestId ?? ""),
    (lines) => lines.some(({ message }) => message.startsWith("REPORT")),
    10_000
  )
})

it.layer(Stack.layer(), Stack.live)("A function", (it) => {
  it.effect("that writes 100 MB of logs ends, others are served meanwhile, and the log says what was dropped", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      yield* Stack.invoke(stack, "echo")
      const flood = yield* Effect.forkChild(Stack.invoke(stack, "noisy", { bytes: 100 * 1024 * 1024 }))
      yield* eventually("it floods", Stack.pool(stack, "noisy"), ({ busy }) => busy === 1)
      assert.isUndefined((yield* Stack.invoke(stack, "echo")).functionError)
      const { functionError, payload, requestId } = yield* Fiber.join(flood)
      assert.deepStrictEqual([functionError, payload], [undefined, "done"])
      const lines = yield* wholeLog(requestId)
      const notices = lines.filter(({ message }) => /^\[esb\] \d+ bytes of output were dropped/.test(message))
      assert.isAtLeast(notices.length, 1)
      // The worker is well.
      assert.strictEqual((yield* Stack.invoke(stack, "noisy", { bytes: 1 })).payload, "done")
    })
  )

  it.effect("that writes a line without an end has it cut, and told", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const { payload, requestId } = yield* Stack.invoke(stack, "endless", { bytes: 1_000_000, fill: "x" })
      assert.strictEqual(payload, "done")
      const lines = yield* wholeLog(requestId)
      assert.isTrue(lines.some(({ message }) => /^x+ \[line cut after \d+ bytes\]$/.test(message)))
    })
  )

  it.effect("that writes bytes that are no text does no harm", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      for (const fill of [0, 0xff, 0x0d]) {
        const { payload, requestId } = yield* Stack.invoke(stack, "endless", { bytes: 10_000, fill })
        assert.strictEqual(payload, "done")
        assert.isAtLeast((yield* wholeLog(requestId)).length, 4)
      }
    })
  )

  it.effect("that takes more memory than it has is ended as out of memory", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const { functionError, log, payload, requestId } = yield* Stack.invoke(stack, "hungry", {}, { LogType: "Tail" })
      assert.strictEqual(functionError, "Unhandled")
      assert.deepStrictEqual(payload, {
        errorType: "Runtime.OutOfMemory",
        errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: signal: killed`
      })
      assert.match(log, /\tStatus: error\tError Type: Runtime\.OutOfMemory\t\n$/)
    })
  )

  it.effect("that answers its route with control characters in a header is told as 502", () =>
    Effect.gen(function* () {
      const wrong = ["a\r\nSet-Cookie: stolen=1", "a\nb", "a\rb", "a\u0000b", "a\u0001b", "a\u007fb"]
      for (const value of wrong) {
        for (const answer of [
          { statusCode: 200, headers: { "X-Custom": value } },
          { statusCode: 200, multiValueHeaders: { "X-Custom": ["fine", value] } },
          { statusCode: 200, headers: { [value]: "fine" } }
        ]) {
          const { header, status, text } = yield* routed(answer)
          assert.deepStrictEqual([status, JSON.parse(text)], [502, { message: "Internal server error" }])
          assert.isUndefined(header("x-custom"))
          assert.isUndefined(header("set-cookie"))
        }
      }
      const { header, status } = yield* routed({ statusCode: 200, headers: { "X-Custom": "fine" } })
      assert.deepStrictEqual([status, header("x-custom")], [200, "fine"])
    })
  )

  it.effect("that fails, ends or hangs on its route is told as API Gateway tells it", () =>
    Effect.gen(function* () {
      const { gateway } = yield* Stack.Running
      const fail = yield* HttpCaller.ask(gateway, { target: "/fail" })
      assert.deepStrictEqual([fail.status, fail.json()], [502, { message: "Internal server error" }])
      const hang = yield* HttpCaller.ask(gateway, { target: "/hang" })
      assert.deepStrictEqual([hang.status, hang.json()], [504, { message: "Endpoint request timed out" }])
    })
  )
})
