/** What of a stack in containers runs, for people and for programs. */
import { Effect } from "effect"
import { isDone, type StackService } from "#domain/StackService"
import { ComposeStack } from "#services/ComposeStack"
import type { ContainerRun } from "./RunFile.ts"
import * as StackCompose from "./StackCompose.ts"
import { table } from "./Voice.ts"

export const list = (run: ContainerRun) =>
  Effect.flatMap(ComposeStack, ({ services }) => services).pipe(Effect.provide(StackCompose.layer(run)))

/** `running, healthy`, `exited with code 1`. */
export const stateOf = ({ exitCode, health, state }: StackService): string => {
  if (exitCode !== undefined) return `${state} with code ${exitCode}`
  return health === "none" ? state : `${state}, ${health}`
}

/** Whether it does its work, or has done it. */
export const isWell = (service: StackService): boolean =>
  isDone(service) || (service.state === "running" && service.health !== "unhealthy")

export const told = ({ mode }: ContainerRun, services: ReadonlyArray<StackService>): string =>
  services.length === 0
    ? `No services: the containers of the stack are gone. Start them with esb up --mode ${mode}.`
    : table(
        ["SERVICE", "STATE", "RESTARTS", "CONTAINER", "IMAGE"],
        services.map((service) => [
          service.name,
          stateOf(service),
          String(service.restarts),
          service.container,
          service.image
        ])
      )
