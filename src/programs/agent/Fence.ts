/**
 * The fence around workers in containers: raised before the first of them starts, in place of the one that the Agent before has
 * left. It stays for as long as workers do, which outlive their Agent, and goes with an Agent that leaves none.
 */
import { fileURLToPath } from "node:url"
import { isIPv4 } from "node:net"
import { Effect, Layer, Option, Result, Schema } from "effect"
import type { StackIdentity } from "#domain/StackIdentity"
import { type Endpoint, readEndpoint } from "#domain/WorkerFence"
import * as FenceContainer from "#layers/docker/FenceContainer"
import * as OwnContainer from "#layers/docker/OwnContainer"
import * as WorkersLeft from "#layers/docker/WorkersLeft"
import { WorkersNetwork } from "#layers/docker/WorkersNetwork"
import * as IptablesWorkerFence from "#layers/iptables/IptablesWorkerFence"
import { FenceUnavailable, WorkerFence } from "#services/WorkerFence"
import { BadSettings } from "../Program.ts"
import type { AgentSettings } from "./Settings.ts"

/** The program that does it in a container: it lies beside the bundle that this file becomes a part of. */
const program = fileURLToPath(new URL("./fence.js", import.meta.url))

/** Workers would not reach their doors, or the operator insists. */
class NotFenced extends Schema.TaggedError<NotFenced>()("NotFenced", { reason: Schema.String }) {
  override get message() {
    return `${this.reason}\nWORKER_FENCE=off starts the Agent without; then something else must let workers reach its doors.`
  }
}

const reachOf = ({ workerReach }: AgentSettings): Effect.Effect<ReadonlyArray<Endpoint>, BadSettings> => {
  const read = workerReach.map(readEndpoint)
  const wrong = read.filter(Result.isFailure).map(({ failure }) => failure)
  if (wrong.length === 0) return Effect.succeed(read.filter(Result.isSuccess).map(({ success }) => success))
  const complaints = wrong.map(
    (text) => `WORKER_REACH (--worker-reach) has "${text}": expected an address and a port, such as 10.89.0.3:443`
  )
  return Effect.fail(new BadSettings({ program: "agent", complaints }))
}

/** A door that is bound to one address is open at no other. */
const doorAddress = ({ runtimeApiBind = "" }: AgentSettings, standing: string): string =>
  isIPv4(runtimeApiBind) && runtimeApiBind !== "0.0.0.0" ? runtimeApiBind : standing

const implementation = Effect.map(OwnContainer.find, (own) =>
  Option.match(own, {
    onNone: () => IptablesWorkerFence.layer,
    onSome: ({ image }) => FenceContainer.layer({ image, command: [process.execPath, program] })
  })
).pipe(Layer.unwrap)

const raised = Effect.fnUntraced(function* (
  values: AgentSettings,
  stack: StackIdentity,
  reach: ReadonlyArray<Endpoint>
) {
  const { bridge, name, standing } = yield* WorkersNetwork
  const { lower, raise } = yield* WorkerFence
  if (standing === undefined) {
    const detail = `this Agent is neither on the engine's machine nor in the network ${name}`
    return yield* new FenceUnavailable({ detail })
  }
  const doors = { address: doorAddress(values, standing.address), ports: values.runtimeApiPorts, of: standing.of }
  const end = Effect.flatMap(WorkersLeft.areThere(stack), (areThere) => (areThere ? Effect.void : lower(stack)))
  yield* Effect.acquireRelease(raise({ stack, bridge, entry: "DOCKER-USER", doors, reach }), () =>
    Effect.ignore(end, { log: "Warn" })
  )
})

const make = Effect.fnUntraced(function* (values: AgentSettings, stack: StackIdentity) {
  const reach = yield* reachOf(values)
  if (values.workerFence === "off") return
  const { standing } = yield* WorkersNetwork
  const isNeeded = values.workerFence === "on" || standing?.of === "agent"
  yield* raised(values, stack, reach).pipe(
    Effect.catchTag("FenceUnavailable", ({ message }) =>
      isNeeded
        ? Effect.fail(new NotFenced({ reason: message }))
        : Effect.logWarning(`Workers can reach every port of this machine, for there is no fence: ${message}`)
    )
  )
})

export const layer = (values: AgentSettings, stack: StackIdentity) =>
  Layer.effectDiscard(make(values, stack)).pipe(Layer.provide(implementation))
