/** How a handler ends a call without an answer. */
import type { StatusObject } from "@grpc/grpc-js"
import { Data, Effect } from "effect"
import type { Failure } from "#domain/Failure"
import * as Status from "../Status.ts"

/** The call ends with this status instead of an answer. */
export class Refused extends Data.TaggedError("Refused")<{ readonly status: Partial<StatusObject> }> {
  override get message() {
    return this.status.details ?? ""
  }
}

/** A failure as the client reads it. `doing`, as `failed to ensure container`, stands before what went wrong inside. */
export const ofFailure = (failure: Failure, doing: string): Refused =>
  new Refused({ status: Status.ofFailure(failure, doing) })

/** Every failure of an effect, told in this way; what was told further inside stays as it is. */
export const toldAs =
  (doing: string) =>
  <A, R>(effect: Effect.Effect<A, Failure | Refused, R>): Effect.Effect<A, Refused, R> =>
    Effect.mapError(effect, (failure) => (failure instanceof Refused ? failure : ofFailure(failure, doing)))
