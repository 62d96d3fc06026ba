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

/**
 * What emulators do in a call no engine sees. An earlier Gateway may have called one just before it was found, so that it counts
 * as busy until such a call must have ended. A frozen one is in none.
 */
export const afterFinding = (found: ContainerState, foundForMs: number, timeoutMs: number): ContainerState =>
  found.protocol === "rie" && found.phase === "idle" && found.status === "RUNNING" && foundForMs < timeoutMs
    ? { ...found, phase: "busy" }
    : found

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
