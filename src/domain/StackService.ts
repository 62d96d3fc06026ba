/** One server of a stack as its engine sees it, and whether it does its work. */
import { Schema } from "effect"

export const ServiceState = Schema.Literals([
  "created",
  "running",
  "paused",
  "restarting",
  "removing",
  "exited",
  "dead"
])

export interface StackService {
  /** As the Compose file has it: `gateway`. */
  readonly name: string
  /** Its container: `esb-dev-gateway`. */
  readonly container: string
  readonly image: string
  readonly state: typeof ServiceState.Type
  /** `none`: the service has no health check. */
  readonly health: "none" | "starting" | "healthy" | "unhealthy"
  /** Of one that has ended. */
  readonly exitCode: number | undefined
  /** When it did. */
  readonly endedAtUnixMs: number | undefined
  /** How often the engine has started it again by itself. */
  readonly restarts: number
}

/** What was seen of it while somebody waits for it. */
export interface Watched {
  /** What `restarts` was at first. */
  readonly restartsAtFirst: number
  /** For how long its state, its health and the number of its restarts have been what they are. */
  readonly unchangedMs: number
}

export type Readiness =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Waiting" }
  /** No use waiting any longer. */
  | { readonly _tag: "Failed"; readonly problem: string }

/** A check may fail for a moment while others start; one that fails for longer will not pass. */
const unhealthyForMs = 15_000
/** Without a health check all that can be seen is that it does not end at once. */
const settledAfterMs = 1000
/** A service whose dependency is late may end once or twice. */
const mostRestarts = 3

const ready: Readiness = { _tag: "Ready" }
const waiting: Readiness = { _tag: "Waiting" }
const failed = (problem: string): Readiness => ({ _tag: "Failed", problem })

/** A task has ended well, such as one that prepares a volume; a server has a health check and does not end. */
export const isDone = ({ exitCode, health, state }: StackService): boolean =>
  state === "exited" && exitCode === 0 && health === "none"

export const readiness = (service: StackService, { restartsAtFirst, unchangedMs }: Watched): Readiness => {
  const { exitCode, health, restarts, state } = service
  if (isDone(service)) return ready
  if (state === "exited" || state === "dead") return failed(`ended with code ${exitCode ?? "unknown"}`)
  const again = restarts - restartsAtFirst
  if (again >= mostRestarts) return failed(`was started again ${again} times`)
  if (health === "unhealthy" && unchangedMs >= unhealthyForMs) return failed("is unhealthy")
  const works = health === "none" ? unchangedMs >= settledAfterMs : health === "healthy"
  return state === "running" && works ? ready : waiting
}
