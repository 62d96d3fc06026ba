/** The containers that are ours now: from before one is made until it is gone, those that are still starting included. */
import { Effect, type Scope } from "effect"
import type { EngineContainer } from "#services/ContainerEngine"

export class KnownContainers {
  readonly #names = new Set<string>()
  readonly #containers = new Map<string, EngineContainer>()
  /** Of claimed names, whose containers have ended before their making was known here. */
  readonly #ended = new Set<string>()

  /** From now on, and until the scope ends, a container of this name is nobody's leftover. */
  claim(name: string): Effect.Effect<void, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => void this.#names.add(name)),
      () =>
        Effect.sync(() => {
          this.#names.delete(name)
          this.#containers.delete(name)
          this.#ended.delete(name)
        })
    )
  }

  /** There is one at the engine under a name that was claimed. `true`: its end was told before, and nobody has looked at it. */
  made(container: EngineContainer): boolean {
    this.#containers.set(container.name, container)
    return this.#ended.has(container.name)
  }

  /** The engine tells that one has ended: here it is, unless its making is not known yet. */
  ended(name: string): EngineContainer | undefined {
    const container = this.#containers.get(name)
    if (container === undefined && this.#names.has(name)) this.#ended.add(name)
    return container
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
