/**
 * The fence around workers in containers, whichever engine runs them: raised before the first of them starts, in place of the one
 * that the Agent before has left. It stays for as long as workers do, which outlive their Agent, and goes with an Agent that
 * leaves none.
 */
import { Effect, Schema } from "effect"
import { isIPv4 } from "node:net"
import type { StackIdentity } from "#domain/StackIdentity"
import type { WorkerFence as Plan } from "#domain/WorkerFence"
import { type FenceUnavailable, WorkerFence } from "#services/WorkerFence"
import type { AgentSettings } from "./Settings.ts"

/** Workers would not reach their doors, or the operator insists. */
class NotFenced extends Schema.TaggedError<NotFenced>()("NotFenced", { reason: Schema.String }) {
  override get message() {
    return `${this.reason}\nWORKER_FENCE=off starts the Agent without; then something else must let workers reach its doors.`
  }
}

/** What an engine knows of the workers' network. */
export interface Ground<E, R> extends Pick<Plan, "bridge" | "entry"> {
  /** Where workers find this Agent. */
  readonly standing: Effect.Effect<Omit<Plan["doors"], "ports">, FenceUnavailable>
  /** Without a fence workers would not reach their doors. */
  readonly isNeeded: boolean
  readonly hasWorkers: Effect.Effect<boolean, E, R>
}

/** A door that is bound to one address is open at no other. */
const doorAddress = ({ runtimeApiBind = "" }: AgentSettings, standing: string): string =>
  isIPv4(runtimeApiBind) && runtimeApiBind !== "0.0.0.0" ? runtimeApiBind : standing

const raised = Effect.fnUntraced(function* <E, R>(values: AgentSettings, stack: StackIdentity, ground: Ground<E, R>) {
  const { lower, raise } = yield* WorkerFence
  const { bridge, entry, hasWorkers, standing } = ground
  const { address, of } = yield* standing
  const doors = { address: doorAddress(values, address), ports: values.runtimeApiPorts, of }
  const end = Effect.flatMap(hasWorkers, (areLeft) => (areLeft ? Effect.void : lower(stack)))
  yield* Effect.acquireRelease(raise({ stack, bridge, entry, doors, reach: values.workerReach }), () =>
    Effect.ignore(end, { log: "Warn" })
  )
})

/** Until the scope ends. A machine without a packet filter has none, and says so, unless one is needed or insisted on. */
export const raise = Effect.fnUntraced(function* <E, R>(
  values: AgentSettings,
  stack: StackIdentity,
  ground: Ground<E, R>
) {
  const { workerFence } = values
  if (workerFence === "off") return
  yield* raised(values, stack, ground).pipe(
    Effect.catchTag("FenceUnavailable", ({ message }) =>
      workerFence === "on" || ground.isNeeded
        ? Effect.fail(new NotFenced({ reason: message }))
        : Effect.logWarning(`Workers can reach every port of this machine, for there is no fence: ${message}`)
    )
  )
})
