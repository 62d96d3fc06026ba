/**
 * A call whose answer is one value. How user code says that value changed with Node.js 24.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
 */
import { RuntimeFault } from "./Fault.ts"
import type { UserFunction } from "./Handler.ts"
import { whenIdle } from "./Idle.ts"
import type { Context } from "./Invocation.ts"

export type Outcome = { readonly result: unknown } | { readonly thrown: unknown }

/** Node.js 24 and later: what the handler returns, awaited. */
export const awaited = async (call: UserFunction, event: unknown, context: Context): Promise<Outcome> => {
  try {
    return { result: await call(event, context) }
  } catch (thrown) {
    return { thrown }
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function"

const neverSettled = () =>
  new RuntimeFault(
    "Runtime.NodeJsExit",
    "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise that was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes"
  )

/**
 * Before Node.js 24: a promise, the callback, or `context.done`, `succeed` and `fail`, whichever comes first. The
 * callback's result is held back until user code is idle, unless `callbackWaitsForEmptyEventLoop` is false; idle without
 * an answer means `null`. Other return values mean nothing.
 */
export const classic = (call: UserFunction, event: unknown, context: Context): Promise<Outcome> =>
  new Promise((settle) => {
    let waitsForIdle = true
    let answered = false
    const first =
      <A extends ReadonlyArray<unknown>>(answer: (...parameters: A) => void) =>
      (...parameters: A) => {
        if (answered) return
        answered = true
        whenIdle(undefined)
        answer(...parameters)
      }
    const isFailure = (error: unknown) => error !== undefined && error !== null

    const done = first((error?: unknown, result?: unknown) => settle(isFailure(error) ? { thrown: error } : { result }))
    const succeed = (result?: unknown) => done(null, result)
    const fail = (error?: unknown) => done(isFailure(error) ? error : "handled")
    const callback = first((error?: unknown, result?: unknown) => {
      if (isFailure(error)) settle({ thrown: error })
      else if (waitsForIdle) whenIdle(() => settle({ result }))
      else settle({ result })
    })

    const isAsync = call.constructor.name === "AsyncFunction"
    whenIdle(() => (isAsync ? fail(neverSettled()) : succeed(null)))

    const contextWithAnswers = {
      get callbackWaitsForEmptyEventLoop() {
        return waitsForIdle
      },
      set callbackWaitsForEmptyEventLoop(value: boolean) {
        waitsForIdle = value
      },
      succeed,
      fail,
      done,
      ...context
    }
    try {
      const returned = call(event, contextWithAnswers, callback)
      if (isThenable(returned)) returned.then(succeed, fail)
    } catch (thrown) {
      callback(thrown)
    }
  })
