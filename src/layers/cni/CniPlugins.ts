/**
 * Workers' networks by plugins of the Container Network Interface, run as programs. What they make is known by files, not by this
 * process: networks in use outlive it, and those of a run that crashed are found and removed by the next one.
 */
import { Effect, Layer, Option } from "effect"
import { createHash, randomBytes } from "node:crypto"
import * as BrandNetwork from "#domain/BrandNetwork"
import * as Subnet from "#domain/Subnet"
import { Cni, NetworkUnavailable } from "#services/Cni"
import type { CniSettings } from "./CniSettings.ts"
import * as Configuration from "./Configuration.ts"
import * as KeptNetworks from "./KeptNetworks.ts"
import * as Leftovers from "./Leftovers.ts"
import * as MachineBridge from "./MachineBridge.ts"
import * as Namespaces from "./Namespaces.ts"
import * as Networks from "./Networks.ts"
import * as PreparedNetworks from "./PreparedNetworks.ts"

const randomBytesInName = 6

const unavailable = (cause: { readonly message: string }) => new NetworkUnavailable({ detail: cause.message, cause })

const make = Effect.fnUntraced(function* (settings: CniSettings) {
  const { brand, environment } = settings.identity
  const stack = createHash("sha256").update(`${brand} ${environment}`).digest()
  const prefix = BrandNetwork.prefixOf(settings.identity, stack)
  const loaded = yield* Configuration.load(settings)
  yield* Effect.mapError(MachineBridge.ensure(settings, loaded.bridge), unavailable)

  const kept = KeptNetworks.make(settings.stateDirectory)
  const leftovers = Leftovers.make(settings, `${loaded.bridge.addressDirectory}/${loaded.list.name}`)
  const networks = Networks.make(settings, loaded, { kept, leftovers })

  /** What this run makes, has, or removes just now: nothing that was left. */
  const ofThisRun = new Set<string>()
  const makeOne = Effect.suspend(() => {
    const name = `${prefix}${randomBytes(randomBytesInName).toString("hex")}`
    ofThisRun.add(name)
    return Effect.tapError(networks.make(name), () => Effect.sync(() => ofThisRun.delete(name)))
  })

  const release = (name: string) =>
    Effect.suspend(() => {
      ofThisRun.add(name)
      return Effect.flatMap(
        kept.read(name),
        Option.match({ onNone: () => Effect.void, onSome: () => networks.remove(name) })
      )
    }).pipe(Effect.ensuring(Effect.sync(() => ofThisRun.delete(name))))

  const { take } = yield* PreparedNetworks.make(settings, {
    make: makeOne,
    remove: release,
    isThere: Namespaces.isThere
  })

  const reconcile = Effect.fn("Cni.reconcile")(function* (inUse: ReadonlySet<string>) {
    // One that goes while others are looked for may still be among what is found.
    const oursBefore = new Set(ofThisRun)
    const holders = yield* Effect.mapError(leftovers.holders, unavailable)
    const all = new Set([...(yield* kept.list), ...(yield* Namespaces.list), ...holders])
    const isOurs = (name: string) => inUse.has(name) || oursBefore.has(name) || ofThisRun.has(name)
    const isLeft = (name: string) => name.startsWith(prefix) && !isOurs(name)
    const left = [...all].filter(isLeft)
    const gone = new Set<string>()
    const remove = (name: string) =>
      networks.remove(name).pipe(
        // A plugin that cannot take it back, or is not there any more, does not keep it alive.
        Effect.catch(({ message }) => Effect.andThen(Effect.logWarning(message), networks.removeByForce(name))),
        Effect.andThen(Effect.sync(() => gone.add(name))),
        Effect.catch(({ message }) => Effect.logWarning(message))
      )
    yield* Effect.forEach(left, remove, { concurrency: settings.parallel, discard: true })
    if (gone.size === 0) return 0
    yield* Effect.mapError(
      leftovers.sweep((name) => gone.has(name)),
      unavailable
    )
    return gone.size
  }, Effect.uninterruptible)

  return Cni.of({
    bridge: {
      name: loaded.bridge.name,
      gateway: loaded.bridge.gateway,
      subnet: Subnet.format(loaded.bridge.subnet),
      nameserver: loaded.nameserver
    },
    take,
    find: networks.find,
    check: networks.check,
    release,
    reconcile
  })
})

/** Fails when the configuration is not for workers, a plugin is missing, or this process has no rights over networks. */
export const layer = (settings: CniSettings): Layer.Layer<Cni, NetworkUnavailable> => Layer.effect(Cni, make(settings))
