/** Callers who call one function again and again, and believe no answer: each must be that of their own event, or an honest error. */
import { assert } from "@effect/vitest"
import { createHash } from "node:crypto"
import { Effect, Fiber, type Scope } from "effect"
import type { Worked } from "./BareGateway.ts"
import * as HonestError from "./HonestError.ts"
import type * as HttpCaller from "./HttpCaller.ts"
import * as Stack from "./Stack.ts"

export type Ask = (question: HttpCaller.Question) => Effect.Effect<HttpCaller.Answer, HttpCaller.NoAnswer>

/** A call without an answer: its connection was refused or broke. */
export interface Broken {
  readonly code: string
  /** Milliseconds as of `performance.now()`. */
  readonly fromMs: number
  readonly toMs: number
}

export interface Load {
  /** Calls that were answered as they should be. */
  readonly right: () => number
  /** Honest errors by name. */
  readonly errors: () => Readonly<Record<string, number>>
  /** The last text of each. */
  readonly lastWords: () => Readonly<Record<string, string>>
  readonly broken: () => ReadonlyArray<Broken>
  /** The longest time from a call to its end, in milliseconds. */
  readonly longestMs: () => number
  /** No more calls. Returns when the last one has ended; fails when an answer was a lie. */
  readonly stop: Effect.Effect<void>
}

/** Who was refused does not come again at once. */
const restMs = 20

const digestOf = (id: string): string => createHash("sha256").update(id).digest("hex")

/** Fails for any other answer than the one to this event. */
export const isTheAnswerTo = (id: string, answer: HttpCaller.Answer): void => {
  const { digest, id: told, requestId } = answer.json() as Worked
  const expected = [id, digestOf(id), answer.header("x-amzn-requestid")]
  assert.deepStrictEqual([told, digest, requestId], expected, `the answer to ${id} was ${answer.text}`)
}

/** So many callers at once, until `stop` or the end of the scope. */
export const start = Effect.fnUntraced(function* (
  ask: Ask,
  functionName: string,
  callers: number
): Effect.fn.Return<Load, never, Scope.Scope> {
  let [goesOn, calls, right, longestMs] = [true, 0, 0, 0]
  const errors: Record<string, number> = {}
  const lastWords: Record<string, string> = {}
  const broken: Array<Broken> = []

  const call = Effect.fnUntraced(function* () {
    const number = ++calls
    const id = `call ${number}`
    const body = JSON.stringify({ id, ms: number % 40 })
    const fromMs = performance.now()
    const asked = yield* Effect.result(ask({ method: "POST", target: Stack.invokePath(functionName), body }))
    const toMs = performance.now()
    longestMs = Math.max(longestMs, toMs - fromMs)
    if (asked._tag === "Failure") {
      broken.push({ code: asked.failure.code, fromMs, toMs })
      return yield* Effect.sleep(restMs)
    }
    const error = HonestError.nameOf(asked.success)
    if (error === undefined) {
      isTheAnswerTo(id, asked.success)
      right += 1
    } else {
      errors[error] = (errors[error] ?? 0) + 1
      lastWords[error] = asked.success.text
      yield* Effect.sleep(restMs)
    }
  })
  const caller = Effect.suspend(call).pipe(Effect.repeat({ while: () => goesOn }))
  const fibers = yield* Effect.forEach(Array.from({ length: callers }), () => Effect.forkScoped(caller))
  return {
    right: () => right,
    errors: () => errors,
    lastWords: () => lastWords,
    broken: () => broken,
    longestMs: () => longestMs,
    stop: Effect.suspend(() => {
      goesOn = false
      return Effect.asVoid(Fiber.joinAll(fibers))
    })
  }
})
