/** What the settings say of the fence around workers, whichever engine runs them. */
import { Effect, Result, Schema } from "effect"
import { isIPv4 } from "node:net"
import { type Endpoint, readEndpoint } from "#domain/WorkerFence"
import { BadSettings } from "../Program.ts"
import type { AgentSettings } from "./Settings.ts"

/** Workers would not reach their doors, or the operator insists. */
export class NotFenced extends Schema.TaggedError<NotFenced>()("NotFenced", { reason: Schema.String }) {
  override get message() {
    return `${this.reason}\nWORKER_FENCE=off starts the Agent without; then something else must let workers reach its doors.`
  }
}

export const reachOf = ({ workerReach }: AgentSettings): Effect.Effect<ReadonlyArray<Endpoint>, BadSettings> => {
  const read = workerReach.map(readEndpoint)
  const wrong = read.filter(Result.isFailure).map(({ failure }) => failure)
  if (wrong.length === 0) return Effect.succeed(read.filter(Result.isSuccess).map(({ success }) => success))
  const complaints = wrong.map(
    (text) => `WORKER_REACH (--worker-reach) has "${text}": expected an address and a port, such as 10.89.0.3:443`
  )
  return Effect.fail(new BadSettings({ program: "agent", complaints }))
}

/** A door that is bound to one address is open at no other. */
export const doorAddress = ({ runtimeApiBind = "" }: AgentSettings, standing: string): string =>
  isIPv4(runtimeApiBind) && runtimeApiBind !== "0.0.0.0" ? runtimeApiBind : standing

/** Said of workers that run without. */
export const unfenced = "Workers can reach every port of this machine, for there is no fence:"
