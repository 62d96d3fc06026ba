/**
 * Containers that were made before anybody asks for them, and only have to be started: some for each worker that was asked for
 * lately. None is made, or removed, while somebody waits for a start. They are nobody's workers, and go with the scope; those
 * that a crash leaves were never started, and the next run removes them.
 */
import { Clock, Effect, Exit, Latch, Scope } from "effect"
import * as PreparedStock from "#domain/PreparedStock"
import { type OwnerId, specText } from "#domain/Worker"
import type { EngineContainer } from "#services/ContainerEngine"
import type { RuntimeSettings } from "./RuntimeSettings.ts"
import type { WorkerPlan } from "./WorkerPlan.ts"

export interface PreparedContainer {
  readonly plan: WorkerPlan
  readonly container: Pick<EngineContainer, "exit" | "isRemoved">
  /** Holds all of it. */
  readonly scope: Scope.Closeable
}

/** What was asked for, and what is ready for whoever asks again. */
class Demand<P> implements PreparedStock.Demand {
  readonly plan: WorkerPlan
  readonly stock: Array<P> = []
  lastAskedAtMs = 0
  constructor(plan: WorkerPlan) {
    this.plan = plan
  }
  get ready(): number {
    return this.stock.length
  }
}

/** How often it is looked for what has ended by itself, or is not asked for any more. */
const lookEveryMs = 1_000

/** Workers that are started before anybody waits for them. */
const isProvisioned = ({ spec }: WorkerPlan): boolean =>
  spec.environment["AWS_LAMBDA_INITIALIZATION_TYPE"] === "provisioned-concurrency"

/** Whatever is not the same for two of them would make one the wrong one. */
const keyOf = ({ image, owner, spec }: WorkerPlan): string => JSON.stringify([owner, image.digest, specText(spec)])

/** Of the same function, as it was before a change of it or of its image. */
const isOutdatedBy = (old: WorkerPlan, plan: WorkerPlan): boolean =>
  old.owner === plan.owner &&
  old.spec.functionName === plan.spec.functionName &&
  (old.spec.specHash !== plan.spec.specHash || old.image.digest !== plan.image.digest)

const hasEnded = ({ container }: PreparedContainer): boolean => container.exit !== undefined || container.isRemoved

/** `prepare` makes one, and leaves nothing when it fails or is interrupted. */
export const make = Effect.fnUntraced(function* <P extends PreparedContainer, E extends { readonly message: string }>(
  { prepareAfterMs, preparedIdleMs, preparedPerSpec, preparedTotal }: RuntimeSettings,
  prepare: (plan: WorkerPlan) => Effect.Effect<P, E>
) {
  const limits = { perSpec: preparedPerSpec, total: preparedTotal, idleMs: preparedIdleMs }
  const isOn = preparedPerSpec > 0 && preparedTotal > 0
  const demands = new Map<string, Demand<P>>()
  /** Of no use to anybody, and still there. */
  const useless: Array<P> = []
  const changed = Latch.makeUnsafe(false)
  const starts = { waiting: 0, begun: 0 }

  const forget = (isUseless: (demand: Demand<P>) => boolean): void => {
    for (const [key, demand] of demands) {
      if (!isUseless(demand)) continue
      demands.delete(key)
      useless.push(...demand.stock.splice(0))
    }
    changed.openUnsafe()
  }

  const discard = Effect.suspend(() =>
    Effect.forEach(useless.splice(0), ({ scope }) => Scope.close(scope, Exit.void), {
      concurrency: "unbounded",
      discard: true
    })
  )

  /** Nobody waits for a start, nor has for a moment: what was started is still busy with beginning. */
  const calm = Effect.gen(function* () {
    let begun: number
    do {
      begun = starts.begun
      yield* Effect.sleep(prepareAfterMs)
    } while (starts.waiting > 0 || begun !== starts.begun)
  })

  const makeOne = (demand: Demand<P>): Effect.Effect<void> =>
    calm.pipe(
      Effect.andThen(prepare(demand.plan)),
      Effect.map((prepared) => {
        // It may be of no use any more: then its demand is forgotten by now.
        const isWanted = [...demands.values()].includes(demand)
        void (isWanted ? demand.stock : useless).push(prepared)
      }),
      // It is tried again when it is asked for again; whoever asks is told why there is none.
      Effect.catch(({ message }) => {
        forget((each) => each === demand)
        return Effect.logInfo(`No container of ${demand.plan.spec.functionName} is made ahead: ${message}`)
      })
    )

  /** Takes away what is too much; what is missing then, if anything. */
  const tidied = Effect.map(Clock.currentTimeMillis, (now) => {
    for (const { stock } of demands.values()) {
      for (const ended of stock.filter(hasEnded)) useless.push(...stock.splice(stock.indexOf(ended), 1))
    }
    const { drop, forget: old, make } = PreparedStock.next([...demands.values()], limits, now)
    if (old.length > 0) forget((demand) => old.includes(demand))
    for (const { count, of } of drop) useless.push(...of.stock.splice(0, count))
    return make
  })

  const work = Effect.gen(function* () {
    while (true) {
      changed.closeUnsafe()
      const missing = yield* tidied
      if (useless.length > 0) yield* Effect.andThen(calm, discard)
      else if (missing !== undefined) yield* makeOne(missing)
      else if (demands.size === 0) yield* changed.await
      else yield* Effect.timeoutOption(changed.await, lookEveryMs)
    }
  })
  if (isOn) yield* Effect.forkScoped(work)

  /** Somebody waits for this start: until it is over none is made ahead. */
  const first = <A, F, R>(start: Effect.Effect<A, F, R>): Effect.Effect<A, F, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        starts.waiting += 1
        starts.begun += 1
      }),
      () => start,
      () => Effect.sync(() => void (starts.waiting -= 1))
    )

  /** One that is as this plan has it, if there is any: whoever takes it has to close its scope. More of them will be made. */
  const take = Effect.fnUntraced(function* (plan: WorkerPlan): Effect.fn.Return<P | undefined> {
    if (!isOn || isProvisioned(plan)) return undefined
    const now = yield* Clock.currentTimeMillis
    forget((demand) => isOutdatedBy(demand.plan, plan))
    const key = keyOf(plan)
    const demand = demands.get(key) ?? new Demand<P>(plan)
    demand.lastAskedAtMs = now
    demands.set(key, demand)
    const index = demand.stock.findIndex((prepared) => !hasEnded(prepared))
    const taken = index < 0 ? undefined : demand.stock.splice(index, 1)[0]
    // Whoever waits for it may go on at once, and must find all this.
    changed.openUnsafe()
    return taken
  })

  /** Nothing is kept ready for owners that are gone. */
  const giveUp = (isGone: (owner: OwnerId) => boolean): void => forget(({ plan }) => isGone(plan.owner))

  return { first, take, giveUp }
})
