/** Makes networks and removes them, step by step, so that whatever stops in between leaves something that says what to remove. */
import { Effect, Option, Semaphore } from "effect"
import { NetworkUnavailable, type WorkerNetwork } from "#services/Cni"
import type { CniSettings } from "./CniSettings.ts"
import { succeed } from "./Command.ts"
import type * as Configuration from "./Configuration.ts"
import type * as KeptNetworks from "./KeptNetworks.ts"
import type * as Leftovers from "./Leftovers.ts"
import * as Namespaces from "./Namespaces.ts"
import * as Plugins from "./Plugins.ts"

type Loaded = Effect.Success<ReturnType<typeof Configuration.load>>

interface Failed {
  readonly message: string
}

const unavailable = (cause: Failed) => new NetworkUnavailable({ detail: cause.message, cause })

interface Files {
  readonly kept: ReturnType<typeof KeptNetworks.make>
  readonly leftovers: ReturnType<typeof Leftovers.make>
}

export const make = (settings: CniSettings, { bridge, list }: Loaded, { kept, leftovers }: Files) => {
  const plugins = Plugins.make(settings)
  const turns = Semaphore.makeUnsafe(settings.parallel)

  const subjectOf = (name: string): Plugins.Subject => ({ name, path: Namespaces.pathOf(name) })

  const networkOf = (name: string, answer: Plugins.Answer): WorkerNetwork => ({
    ...subjectOf(name),
    ipAddress: Plugins.addressIn(answer) ?? ""
  })

  /** On the bridge workers reach the machine, and the machine them, but no worker another. */
  const keepApart = (answer: Plugins.Answer) =>
    Effect.forEach(
      Plugins.machineEnds(answer, bridge.name),
      (end) => succeed(settings, "ip", "link", "set", "dev", end, "type", "bridge_slave", "isolated", "on"),
      { discard: true }
    )

  /**
   * With what the plugins answered, so that they find all they have made: afterwards the interfaces are gone. Of a namespace that
   * is gone itself they forget the rules, and they stumble over a file that is left of it.
   */
  const takeBack = Effect.fnUntraced(function* (name: string) {
    const { answer, conflist } = Option.getOrElse(yield* kept.read(name), () => ({ conflist: list, answer: undefined }))
    const isThere = yield* Namespaces.isThere(name)
    if (!isThere) yield* Effect.mapError(Namespaces.remove(settings, name), unavailable)
    yield* Effect.mapError(plugins.remove(conflist, subjectOf(name), answer), unavailable)
    yield* Effect.mapError(
      isThere ? Namespaces.remove(settings, name) : leftovers.sweep((each) => each === name),
      unavailable
    )
    yield* kept.forget(name)
  })

  const build = Effect.fnUntraced(function* (name: string) {
    yield* kept.write(name, { conflist: list })
    yield* Effect.mapError(Namespaces.add(settings, name), unavailable)
    const answer = yield* Effect.mapError(plugins.add(list, subjectOf(name)), unavailable)
    yield* kept.write(name, { conflist: list, answer })
    yield* Effect.mapError(keepApart(answer), unavailable)
    return networkOf(name, answer)
  })

  return {
    /** After a failure all of it is taken back; what resists keeps its record. */
    make: (name: string): Effect.Effect<WorkerNetwork, NetworkUnavailable> =>
      build(name).pipe(
        Effect.tapError(() => Effect.ignore(takeBack(name), { log: "Warn" })),
        turns.withPermit,
        Effect.uninterruptible
      ),

    remove: (name: string): Effect.Effect<void, NetworkUnavailable> =>
      takeBack(name).pipe(turns.withPermit, Effect.uninterruptible),

    /** Without the plugins: the namespace, with its interfaces, and the record. Addresses and rules stay. */
    removeByForce: (name: string): Effect.Effect<void, NetworkUnavailable> =>
      Effect.mapError(Namespaces.remove(settings, name), unavailable).pipe(
        Effect.andThen(kept.forget(name)),
        Effect.uninterruptible
      ),

    find: Effect.fnUntraced(function* (name: string) {
      const { answer } = Option.getOrElse(yield* kept.read(name), () => ({ answer: undefined }))
      if (answer === undefined || !(yield* Namespaces.isThere(name))) return Option.none()
      return Option.some(networkOf(name, answer))
    }),

    check: Effect.fnUntraced(function* (name: string) {
      const { answer, conflist } = Option.getOrElse(yield* kept.read(name), () => ({
        conflist: list,
        answer: undefined
      }))
      if (answer === undefined) return yield* new NetworkUnavailable({ detail: `${name} is not known` })
      yield* Effect.mapError(plugins.check(conflist, subjectOf(name), answer), unavailable)
    }, turns.withPermit)
  }
}
