/** The containers that are ours now: from before one is made until it is gone, those that are still starting included. */
import { Effect, type Scope } from "effect"
import type { EngineContainer } from "#services/ContainerEngine"

export class KnownContainers {
  readonly #names = new Set<string>()
  readonly #containers = new Map<string, EngineContainer>()

  /** From now on, and until the scope ends, a container of this name is nobody's leftover. */
  claim(name: string): Effect.Effect<void, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => void this.#names.add(name)),
      () =>
        Effect.sync(() => {
          this.#names.delete(name)
          this.#containers.delete(name)
        })
    )
  }

  /** There is one at the engine under a name that was claimed. */
  made(container: EngineContainer): void {
    this.#containers.set(container.name, container)
  }

  find(name: string): EngineContainer | undefined {
    return this.#containers.get(name)
  }

  get names(): ReadonlySet<string> {
    return this.#names
  }

  get all(): ReadonlyArray<EngineContainer> {
    return [...this.#containers.values()]
  }
}
