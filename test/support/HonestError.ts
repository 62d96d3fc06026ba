/**
 * What the platform may answer when it cannot do what it was asked: an exception of the Invoke API, or the error of a call that
 * was cut. Everything else that is not the function's own answer is a lie.
 */
import { assert } from "@effect/vitest"
import type * as HttpCaller from "./HttpCaller.ts"

/** The status that each may have. */
const exceptions: Readonly<Record<string, number>> = {
  /** No worker could be started. */
  EC2UnexpectedException: 502,
  /** The worker was gone before the event reached it, or the breaker is open. */
  ServiceException: 500,
  TooManyRequestsException: 429
}

/** How a call may be told to have ended that nobody can tell the end of. */
const cut = new Set(["Sandbox.Failure"])

interface Body {
  readonly Type?: string
  readonly message?: string
  readonly Reason?: string
  readonly errorType?: string
  readonly errorMessage?: string
}

/** The name of the error; `undefined` for an answer of the function. Fails for whatever is neither. */
export const nameOf = (answer: HttpCaller.Answer): string | undefined => {
  const told = `${answer.status} ${answer.text}`
  const exception = answer.header("x-amzn-errortype")
  if (exception !== undefined) {
    const body = answer.json() as Body
    assert.strictEqual(answer.status, exceptions[exception], told)
    assert.isNotEmpty(body.message, told)
    assert.strictEqual(body.Type, answer.status >= 500 ? "Service" : "User", told)
    if (answer.status === 429) assert.isNotEmpty(body.Reason, told)
    return exception
  }
  assert.strictEqual(answer.status, 200, told)
  if (answer.header("x-amz-function-error") === undefined) return undefined
  const { errorMessage = "", errorType = "" } = answer.json() as Body
  assert.isTrue(cut.has(errorType), told)
  assert.isTrue(errorMessage.startsWith(`RequestId: ${answer.header("x-amzn-requestid")} Error: `), told)
  return errorType
}
