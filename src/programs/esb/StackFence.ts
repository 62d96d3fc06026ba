/** The packet filter around the workers of a stack in containers: it outlives the Agent, which raised it, as they do. */
import { Effect } from "effect"
import type { StackService } from "#domain/StackService"
import * as FenceContainer from "#layers/docker/FenceContainer"
import { WorkerFence } from "#services/WorkerFence"
import type { ContainerRun } from "./RunFile.ts"

/** Where the Agent's image has it, and what runs it. */
const command = ["/usr/bin/node", "/app/dist/fence.js"]

/** For when the last worker has gone. What cannot be lowered is told, and harms nobody: it is about a network that goes. */
export const lower = ({ brand, environment }: ContainerRun, { image }: StackService, note: (line: string) => void) =>
  Effect.flatMap(WorkerFence, (fence) => fence.lower({ brand, environment })).pipe(
    Effect.provide(FenceContainer.layer({ image, command })),
    Effect.catchTag("FenceUnavailable", ({ message }) => Effect.sync(() => note(`warning: ${message}`)))
  )
