/**
 * The fence around workers in containers: raised before the first of them starts, in place of the one that the Agent before has
 * left. It stays for as long as workers do, which outlive their Agent, and goes with an Agent that leaves none.
 */
import { fileURLToPath } from "node:url"
import { Effect, Layer, Option } from "effect"
import type { StackIdentity } from "#domain/StackIdentity"
import type { Endpoint } from "#domain/WorkerFence"
import * as FenceContainer from "#layers/docker/FenceContainer"
import * as OwnContainer from "#layers/docker/OwnContainer"
import * as WorkersLeft from "#layers/docker/WorkersLeft"
import { WorkersNetwork } from "#layers/docker/WorkersNetwork"
import * as IptablesWorkerFence from "#layers/iptables/IptablesWorkerFence"
import { FenceUnavailable, WorkerFence } from "#services/WorkerFence"
import { doorAddress, NotFenced, reachOf, unfenced } from "./FenceReach.ts"
import type { AgentSettings } from "./Settings.ts"

/** The program that does it in a container: it lies beside the bundle that this file becomes a part of. */
const program = fileURLToPath(new URL("./fence.js", import.meta.url))

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
      isNeeded ? Effect.fail(new NotFenced({ reason: message })) : Effect.logWarning(`${unfenced} ${message}`)
    )
  )
})

export const layer = (values: AgentSettings, stack: StackIdentity) =>
  Layer.effectDiscard(make(values, stack)).pipe(Layer.provide(implementation))
