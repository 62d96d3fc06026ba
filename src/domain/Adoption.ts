/**
 * What becomes of a container of ours that is in no pool: an earlier Gateway left it, or it fell out of its pool while its
 * engine could not be reached.
 */
import type { ContainerState } from "./Worker.ts"

export type Verdict =
  /** Takes calls again. */
  | "adopt"
  /** It starts, or is in a call that has to end first: worth another look. */
  | "wait"
  | "destroy"

/** `wantedHash`: the `specHash` that its function's workers have now; `undefined`: there is no such function. */
export const verdict = (found: ContainerState, wantedHash: string | undefined): Verdict => {
  if (found.phase === "dirty" || found.status === "STOPPED" || found.status === "UNKNOWN") {
    return "destroy"
  }
  // Whatever it runs, a call is never cut.
  if (found.phase === "busy") {
    return "wait"
  }
  if (found.specHash !== wantedHash) {
    return "destroy"
  }
  return found.phase === "init" ? "wait" : "adopt"
}
