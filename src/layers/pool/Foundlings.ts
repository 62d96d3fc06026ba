/**
 * Containers of ours that are in no pool. Those that an earlier Gateway left are listed once, before anything is started;
 * those that a call was lost in are looked at until it has ended; those that fall out of a pool while their engine cannot be
 * reached are found by the sweep. `domain/Adoption` says what becomes of each. When the engine does not answer, nothing is
 * found: the next sweep asks again.
 */
import { Clock, Effect, Semaphore } from "effect"
import * as Adoption from "#domain/Adoption"
import { RuntimeUnavailable } from "#domain/Failure"
import type { FunctionName } from "#domain/FunctionName"
import type { ContainerId, ContainerState, OwnerId, Worker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import type { Hands, Lane } from "./Lane.ts"
import type { WorkerKeeper } from "./WorkerKeeper.ts"

export interface Foundlings {
  /** Takes over what was found of the lane's function, before the lane starts workers of its own. */
  readonly settle: (lane: Lane) => void
  /** Every function has its lane now: what was found of others has no place. */
  readonly settleRest: () => void
  /** A lent worker whose call was lost on the way: it stays lent until the engine shows that the call has ended. */
  readonly lookAfter: (worker: Worker) => void
  /** As `WorkerPool.sweep`. */
  readonly sweep: Effect.Effect<void>
}

export interface Options {
  readonly owner: OwnerId
  readonly lanes: ReadonlyMap<FunctionName, Lane>
  readonly keeper: WorkerKeeper
  readonly fork: Hands["fork"]
  /** The sweep leaves a container alone until it is this old: it may be on its way into a pool. */
  readonly graceMs: number
}

/** How long the engine may take to list its containers; the start of the Gateway waits for no more than this. */
const listLimit = "2 seconds"

/** How often containers that are busy, or not yet ready, are looked at. The engine ends every call at its function's timeout. */
const lookInterval = "500 millis"

/** Whether other owners are gone is for the engine's own program to know. */
const nobody = (): boolean => false

export const make = Effect.fnUntraced(function* ({
  fork,
  graceMs,
  keeper,
  lanes,
  owner
}: Options): Effect.fn.Return<Foundlings, never, ContainerRuntime | WorkerClient> {
  const runtime = yield* ContainerRuntime
  const client = yield* WorkerClient
  const oneSweep = yield* Semaphore.make(1)
  const clock = yield* Clock.Clock
  const found = new Map<ContainerId, ContainerState>()
  /** When each was found. */
  const since = new Map<ContainerId, number>()
  let allFunctionsKnown = false
  let looking = false

  const list = Effect.suspend(() => runtime.list(owner)).pipe(
    Effect.timeoutOrElse({
      duration: listLimit,
      orElse: () => Effect.fail(new RuntimeUnavailable({ detail: `no list of workers within ${listLimit}` }))
    }),
    Effect.map((containers) => new Map(containers.map((container) => [container.id, container])))
  )

  const find = (container: ContainerState): void => {
    found.set(container.id, container)
    if (!since.has(container.id)) since.set(container.id, clock.currentTimeMillisUnsafe())
  }

  const leave = (id: ContainerId): void => {
    found.delete(id)
    since.delete(id)
  }

  const giveUp = (container: ContainerState, lane: Lane | undefined): void => {
    leave(container.id)
    if (lane?.state.busy.has(container.id) === true) {
      lane.lose(container)
    } else {
      fork(keeper.destroy(container))
    }
  }

  const adopt = (container: ContainerState, lane: Lane): void => {
    leave(container.id)
    const frozen = container.status === "PAUSED"
    keeper.adopt(container, frozen)
    lane.adopt({
      worker: container,
      frozen,
      // The engine's clock may be ahead of ours.
      idleSinceMs: Math.min(container.lastUsedAtUnixSeconds * 1000, lane.now())
    })
  }

  const lookAgain = (container: ContainerState): void => {
    find(container)
    if (!looking) {
      looking = true
      fork(look)
    }
  }

  /** Nothing comes between the question whether a container is in a pool and its place in one: none gets two. */
  const judge = (listed: ContainerState): void => {
    if (keeper.isKept(listed.id)) {
      leave(listed.id)
      return
    }
    const lane = lanes.get(listed.functionName)
    if (lane === undefined && !allFunctionsKnown) {
      return
    }
    const now = clock.currentTimeMillisUnsafe()
    const foundForMs = now - (since.get(listed.id) ?? now)
    const container = Adoption.afterFinding(listed, foundForMs, lane?.spec.timeoutMs ?? 0)
    const verdict = client.isAlive(container) ? Adoption.verdict(container, lane?.wantedHash) : "destroy"
    if (verdict === "wait") {
      lane?.claim(container)
      lookAgain(container)
    } else if (verdict === "adopt" && lane !== undefined) {
      adopt(container, lane)
    } else {
      giveUp(container, lane)
    }
  }

  /** Gone, or out of reach for a while: then a sweep will find it again. */
  const forget = ({ functionName, id }: ContainerState): void => {
    leave(id)
    lanes.get(functionName)?.disclaim(id)
  }

  const lookOnce = Effect.map(list, (containers) => {
    // One that is lent at once may be found anew before this ends.
    const foundBefore = [...found.values()]
    for (const before of foundBefore) {
      const now = containers.get(before.id)
      if (now === undefined) {
        forget(before)
      } else {
        judge(now)
      }
    }
  })

  const look = Effect.gen(function* () {
    let answered = true
    while (found.size > 0) {
      yield* Effect.sleep(lookInterval)
      const outcome = yield* Effect.result(lookOnce)
      if (outcome._tag === "Failure" && answered) {
        yield* Effect.logWarning(`workers of an earlier run could not be looked at: ${outcome.failure.message}`)
      }
      answered = outcome._tag === "Success"
    }
    looking = false
  })

  const sweep = Effect.gen(function* () {
    const kept = keeper.kept()
    const containers = yield* list
    const nowMs = yield* Clock.currentTimeMillis
    for (const container of containers.values()) {
      const isYoung = nowMs - container.createdAtUnixSeconds * 1000 < graceMs
      if (
        !isYoung &&
        !kept.has(container.id) &&
        !found.has(container.id) &&
        !keeper.isStarting(container.functionName)
      ) {
        judge(container)
      }
    }
    yield* runtime.gc(nobody)
  }).pipe(Effect.catch((failure) => Effect.logWarning(`workers could not be swept: ${failure.message}`)))

  yield* Effect.matchEffect(list, {
    onSuccess: (containers) => {
      // Where there are too many, those used last are kept.
      const byUse = [...containers.values()].toSorted((a, b) => b.lastUsedAtUnixSeconds - a.lastUsedAtUnixSeconds)
      for (const container of byUse) {
        find(container)
      }
      return found.size === 0 ? Effect.void : Effect.logInfo(`${found.size} workers of an earlier run were found`)
    },
    onFailure: (failure) => Effect.logWarning(`workers of an earlier run could not be looked for: ${failure.message}`)
  })

  return {
    settle: (lane) => {
      for (const container of [...found.values()].filter(({ functionName }) => functionName === lane.spec.name)) {
        judge(container)
      }
    },
    settleRest: () => {
      allFunctionsKnown = true
      const foundBefore = [...found.values()]
      foundBefore.forEach(judge)
    },
    lookAfter: (worker) => {
      keeper.release(worker.id)
      const lastUsedAtUnixSeconds = worker.createdAtUnixSeconds
      lookAgain({ ...worker, status: "RUNNING", phase: "busy", lastUsedAtUnixSeconds })
    },
    sweep: oneSweep.withPermit(sweep)
  }
})
