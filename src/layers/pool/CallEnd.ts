/** What the end of a call says of its worker, and of the platform beneath it. */
import { Exit } from "effect"
import { RuntimeUnavailable, WorkerExited, WorkerUnreachable } from "#domain/Failure"
import { isLost } from "#domain/WorkerExit"

type End = Exit.Exit<unknown, unknown>

const failuresOf = (exit: End): ReadonlyArray<object> =>
  Exit.isSuccess(exit)
    ? []
    : exit.cause.reasons.flatMap((reason) =>
        reason._tag === "Fail" && typeof reason.error === "object" && reason.error !== null ? [reason.error] : []
      )

/** The worker may be in its call still, and as good as before when that has ended. */
export const isLostCall = (exit: End): boolean =>
  failuresOf(exit).some((failure) => failure instanceof WorkerExited && isLost(failure))

const isUnreachable = (failure: object): failure is WorkerUnreachable => failure instanceof WorkerUnreachable

/** Nothing was handed over. */
export const metNobody = (exit: End): boolean => failuresOf(exit).some(isUnreachable)

/** The call should have thawed its worker, and could not. */
export const sleeperIn = (exit: End): WorkerUnreachable | undefined =>
  failuresOf(exit)
    .filter(isUnreachable)
    .find(({ notThawed }) => notThawed !== undefined)

/** An engine that an Agent could not reach, whoever reaches the Agent. */
const isOfNoEngine = (exit: End): boolean =>
  failuresOf(exit).some((failure) => failure instanceof RuntimeUnavailable && failure.isAway === true)

const platformFailures: ReadonlySet<string> = new Set(["RuntimeUnavailable", "WorkerUnreachable", "WorkerExited"])

/**
 * Platform failures open the breaker; a function that cannot be loaded or is simply busy does not. Nor does an engine that is
 * away, or a call that was lost on the way to it: that says nothing of this function, and is over when the engine is back.
 */
export const isPlatformFailure = (exit: End): boolean =>
  failuresOf(exit).some((failure) => "_tag" in failure && platformFailures.has(String(failure._tag))) &&
  !isLostCall(exit) &&
  !isOfNoEngine(exit)
