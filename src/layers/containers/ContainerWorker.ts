/** A worker in a container, and what whoever looks after it works with. */
import type { Scope } from "effect"
import type { HeldContainer } from "#domain/HeldContainer"
import type { EngineContainer } from "#services/ContainerEngine"
import type { KnownContainers } from "./KnownContainers.ts"
import type { RuntimeSettings } from "./RuntimeSettings.ts"

export type ContainerWorker = HeldContainer<EngineContainer>

export interface Surroundings {
  readonly settings: RuntimeSettings
  readonly known: KnownContainers
  /** Of the workers. */
  readonly home: Scope.Scope
}
