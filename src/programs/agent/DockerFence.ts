/** The fence around workers in containers of a Docker Engine, raised by this process or in a container of its own. */
import { fileURLToPath } from "node:url"
import { Effect, Layer, Option } from "effect"
import type { StackIdentity } from "#domain/StackIdentity"
import * as FenceContainer from "#layers/docker/FenceContainer"
import * as OwnContainer from "#layers/docker/OwnContainer"
import * as WorkersLeft from "#layers/docker/WorkersLeft"
import { WorkersNetwork } from "#layers/docker/WorkersNetwork"
import * as IptablesWorkerFence from "#layers/iptables/IptablesWorkerFence"
import { FenceUnavailable } from "#services/WorkerFence"
import * as Fence from "./Fence.ts"
import type { AgentSettings } from "./Settings.ts"

/** The program that does it in a container: it lies beside the bundle that this file becomes a part of. */
const program = fileURLToPath(new URL("./fence.js", import.meta.url))

const implementation = Effect.map(OwnContainer.find, (own) =>
  Option.match(own, {
    onNone: () => IptablesWorkerFence.layer,
    onSome: ({ image }) => FenceContainer.layer({ image, command: [process.execPath, program] })
  })
).pipe(Layer.unwrap)

const make = Effect.fnUntraced(function* (values: AgentSettings, stack: StackIdentity) {
  const { bridge, name, standing } = yield* WorkersNetwork
  const detail = `this Agent is neither on the engine's machine nor in the network ${name}`
  yield* Fence.raise(values, stack, {
    bridge,
    entry: "DOCKER-USER",
    standing: standing === undefined ? Effect.fail(new FenceUnavailable({ detail })) : Effect.succeed(standing),
    isNeeded: standing?.of === "agent",
    hasWorkers: WorkersLeft.areThere(stack)
  })
})

export const layer = (values: AgentSettings, stack: StackIdentity) =>
  Layer.effectDiscard(make(values, stack)).pipe(Layer.provide(implementation))
