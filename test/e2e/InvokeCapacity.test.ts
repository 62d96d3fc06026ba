/** How many calls of a function run at once, and what becomes of those that are more. */
import { assert, it } from "@effect/vitest"
import type { TooManyRequestsException } from "@aws-sdk/client-lambda"
import { Effect, Fiber } from "effect"
import { eventually } from "#test/support/Eventually"
import * as Stack from "#test/support/Stack"

interface Served {
  readonly worker: string
  readonly calls: number
  readonly initialisation: string
}

const served = (functionName: string, ms: number) =>
  Effect.gen(function* () {
    const stack = yield* Stack.Running
    const { functionError, payload } = yield* Stack.invoke(stack, functionName, { ms })
    assert.isUndefined(functionError)
    return payload as Served
  })

/** The workers that served so many calls at once, and the most there were at any time as the Gateway tells it. */
const rush = Effect.fnUntraced(function* (functionName: string, calls: number, ms: number) {
  const stack = yield* Stack.Running
  let most = 0
  const watch = Stack.pool(stack, functionName).pipe(
    Effect.tap(({ total_workers }) => Effect.sync(() => (most = Math.max(most, total_workers)))),
    Effect.andThen(Effect.sleep(5)),
    Effect.forever
  )
  const watching = yield* Effect.forkChild(watch)
  const answers = yield* Effect.all(
    Array.from({ length: calls }, () => served(functionName, ms)),
    { concurrency: "unbounded" }
  )
  yield* Fiber.interrupt(watching)
  return { workers: new Set(answers.map(({ worker }) => worker)).size, most }
})

it.layer(Stack.layer(), Stack.live)("The capacity of a function", (it) => {
  it.effect("that is provisioned is warm before the first call", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      yield* eventually("two workers rest", Stack.pool(stack, "provisioned"), ({ idle }) => idle === 2)
      const [one, other] = yield* Effect.all([served("provisioned", 100), served("provisioned", 100)], {
        concurrency: "unbounded"
      })
      assert.notStrictEqual(one.worker, other.worker)
      for (const { calls, initialisation } of [one, other]) {
        assert.deepStrictEqual([calls, initialisation], [1, "provisioned-concurrency"])
      }
      assert.strictEqual((yield* Stack.pool(stack, "provisioned")).total_workers, 2)
    })
  )

  it.effect("that is one serves two calls one after the other", () =>
    Effect.gen(function* () {
      const [one, other] = yield* Effect.all([served("single", 300), served("single", 300)], {
        concurrency: "unbounded"
      })
      assert.strictEqual(one.worker, other.worker)
      assert.sameMembers([one.calls, other.calls], [1, 2])
    })
  )

  it.effect("bounds fifty calls that come at once, and serves every one", () =>
    Effect.gen(function* () {
      const { most, workers } = yield* rush("crowd", 50, 20)
      assert.isAtMost(workers, 3)
      assert.strictEqual(most, 3)
    })
  )

  it.effect("is ten where nothing is said", () =>
    Effect.gen(function* () {
      const { most, workers } = yield* rush("slow", 50, 50)
      assert.isAtMost(workers, 10)
      assert.isAtMost(most, 10)
      assert.isAbove(workers, 1)
    })
  )

  it.effect("is taken: who waited as long as he may is told why, and when to come again", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const busy = yield* Effect.forkChild(served("single", 4_000))
      yield* eventually("its worker is busy", Stack.pool(stack, "single"), ({ busy }) => busy === 1)
      const from = performance.now()
      const refusal = (yield* Effect.flip(Stack.invoke(stack, "single"))) as TooManyRequestsException
      // The wait is two seconds; timers may be early by a moment.
      assert.isAbove(performance.now() - from, 1_950)
      assert.strictEqual(refusal.name, "TooManyRequestsException")
      assert.strictEqual(refusal.$metadata.httpStatusCode, 429)
      assert.strictEqual(refusal.message, "Rate Exceeded.")
      assert.strictEqual(refusal.Reason, "ReservedFunctionConcurrentInvocationLimitExceeded")
      assert.strictEqual(refusal.Type, "User")
      assert.strictEqual(refusal.retryAfterSeconds, "2")
      assert.strictEqual((yield* Stack.pool(stack, "single")).waiting, 0)
      yield* Fiber.join(busy)
    })
  )

  it.effect("that is none refuses every call, and runs nothing", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const refusal = yield* Effect.flip(Stack.invoke(stack, "closed"))
      assert.deepStrictEqual([refusal.name, refusal.$metadata.httpStatusCode], ["TooManyRequestsException", 429])
      assert.strictEqual((yield* Stack.pool(stack, "closed")).total_workers, 0)
      // Whether a caller may call is no matter of capacity.
      const { status } = yield* Stack.invoke(stack, "closed", {}, { InvocationType: "DryRun" })
      assert.strictEqual(status, 204)
    })
  )
})
