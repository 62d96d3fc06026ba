/**
 * Workers as child processes of this one, each in a session, a process group and a directory of its own. For development:
 * workers see this machine as its user does, and are not isolated from one another. When this process is killed, our
 * runtime clients notice that their door is gone and end; whatever does not is ended by the next start.
 */
import { Clock, Config, Effect, Exit, Layer, Redacted, Scope, Semaphore } from "effect"
import { randomBytes } from "node:crypto"
import { constants } from "node:os"
import { RuntimeUnavailable } from "#domain/Failure"
import * as Ownership from "#domain/Ownership"
import { ContainerId, type ContainerState, type OwnerId, type Worker, type WorkerSpec } from "#domain/Worker"
import * as WorkerName from "#domain/WorkerName"
import { ArtifactStore } from "#services/ArtifactStore"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { RuntimeApi } from "#services/RuntimeApi"
import * as HostProcessTable from "./HostProcessTable.ts"
import * as Interpreters from "./Interpreters.ts"
import * as Launcher from "./Launcher.ts"
import type { End } from "./LauncherProcess.ts"
import * as MemoryWatch from "./MemoryWatch.ts"
import * as ProcessGroup from "./ProcessGroup.ts"
import { defaults, type ProcessOptions, type ProcessPlaces, type ProcessSettings } from "./ProcessSettings.ts"
import { groupsOf, type ProcessWorker } from "./ProcessWorker.ts"
import * as StateHold from "./StateHold.ts"
import * as WorkerCache from "./WorkerCache.ts"
import * as WorkerDirectory from "./WorkerDirectory.ts"
import * as WorkerLaunch from "./WorkerLaunch.ts"
import * as WorkerPlan from "./WorkerPlan.ts"

/** Where process workers come from, as their doors see it. */
const loopback = "127.0.0.1"
const bytesPerMiB = 1_048_576
const nowUnixSeconds = (): number => Math.floor(Date.now() / 1_000)

/** An exit by signal counts as shells count it: 128 and the signal's number. */
const exitCodeOf = ({ exit }: ProcessWorker): number => {
  if (exit === undefined) return 0
  const { code, signal } = exit.status
  return code ?? 128 + (constants.signals[(signal ?? "SIGKILL") as NodeJS.Signals] ?? 0)
}

const make = Effect.fnUntraced(function* (settings: ProcessSettings) {
  yield* StateHold.hold(settings.stateDirectory)
  const artifacts = yield* ArtifactStore
  const api = yield* RuntimeApi
  const table = HostProcessTable.make()
  const interpreters = yield* Interpreters.make(settings)
  const launcher = yield* Launcher.make(settings)
  const workshop: ProcessGroup.Workshop = { launcher, table, limits: settings }
  const home = yield* Effect.scope
  const workers = new Map<ContainerId, ProcessWorker>()
  /** Of workers that have a directory, those that are still starting included. */
  const names = new Set<string>()

  /** A process of the worker has ended, and with it the worker. */
  const onEnd = (worker: ProcessWorker, extension: string | undefined, end: End): void => {
    if (worker.status === "STOPPED") return
    const status = { ...end, outOfMemory: worker.outOfMemory, extension }
    worker.status = "STOPPED"
    worker.exit = { status, atUnixSeconds: nowUnixSeconds() }
    // Whoever removes it does the rest, and may still wait for its extensions.
    if (worker.retired) return
    for (const group of groupsOf(worker)) group.signal("SIGKILL")
    worker.door.exited(status)
  }

  const bringUp = Effect.fnUntraced(function* (plan: WorkerPlan.WorkerPlan, owner: OwnerId, scope: Scope.Closeable) {
    const { artifact, extensions, spec } = plan
    const name = WorkerName.make(settings.identity, spec.functionName, randomBytes(WorkerName.randomBytes))
    const id = ContainerId.make(name)
    names.add(name)
    yield* Effect.addFinalizer(() => Effect.sync(() => names.delete(name)))
    const door = yield* api.open({
      containerId: id,
      containerName: name,
      functionName: spec.functionName,
      owner,
      handler: plan.settings.handler,
      memoryMiB: plan.settings.memoryMiB,
      timeoutMs: plan.settings.timeoutMs,
      extensionNames: extensions.map((extension) => extension.name)
    })
    const directory = yield* WorkerDirectory.make(settings.stateDirectory, name, table)
    const environment = WorkerLaunch.environment(plan, settings, directory, {
      endpoint: door.endpoint,
      token: Redacted.value(door.token)
    })
    const start = (words: ProcessGroup.Command["words"]) =>
      ProcessGroup.start({ words, directory: artifact.taskDirectory, environment, onOutput: door.output }, workshop)
    door.admit(loopback)
    const beside = yield* Effect.forEach(extensions, ({ name, path }) =>
      Effect.map(start([path]), (group) => [name, group] as const)
    )
    const runtime = yield* start(WorkerLaunch.words(plan, settings))
    yield* WorkerDirectory.record(directory, [runtime.id, ...beside.map(([, group]) => group.id)], table)
    const createdAtUnixSeconds = nowUnixSeconds()
    const worker: Worker = {
      id,
      name,
      functionName: spec.functionName,
      owner,
      specHash: spec.specHash,
      protocol: "runtime-api",
      address: door.address,
      createdAtUnixSeconds
    }
    return {
      worker,
      memoryLimitBytes: plan.settings.memoryMiB * bytesPerMiB,
      door,
      directory,
      scope,
      runtime,
      extensions: new Map(beside),
      turn: Semaphore.makeUnsafe(1),
      status: "RUNNING",
      lastUsedAtUnixSeconds: createdAtUnixSeconds,
      outOfMemory: false,
      retired: false,
      exit: undefined
    } satisfies ProcessWorker
  })

  /** What happens to a worker by itself, for as long as it lives. */
  const follow = (held: ProcessWorker): Effect.Effect<void> => {
    const endOf = (group: ProcessGroup.ProcessGroup, extension: string | undefined) =>
      Effect.map(group.ended, (end) => onEnd(held, extension, end))
    const ends = [...held.extensions].map(([name, group]) => endOf(group, name))
    const firstLook = Effect.andThen(Effect.ignore(api.ready(held.worker.id)), MemoryWatch.lookOnce(held, table))
    return Effect.forEach(
      [endOf(held.runtime, undefined), ...ends, firstLook],
      (fate) => Effect.forkIn(fate, held.scope),
      {
        discard: true
      }
    )
  }

  const ensure = Effect.fn("ContainerRuntime.ensure")(function* (spec: WorkerSpec, owner: OwnerId) {
    const plan = yield* WorkerPlan.make(spec, artifacts, interpreters)
    return yield* Effect.uninterruptibleMask(
      Effect.fnUntraced(function* (restore) {
        const scope = yield* Scope.fork(home)
        const held = yield* restore(bringUp(plan, owner, scope)).pipe(
          Scope.provide(scope),
          Effect.mapError(
            ({ cause, detail }) => new RuntimeUnavailable({ functionName: spec.functionName, detail, cause })
          ),
          Effect.onError(() => Scope.close(scope, Exit.void))
        )
        workers.set(held.worker.id, held)
        yield* follow(held)
        return held.worker
      })
    )
  })

  const find = (id: ContainerId, owner: OwnerId) => Effect.fromResult(Ownership.find(workers, id, owner))

  /** Extensions that listen for it are told, and get their time; where none listens, nobody waits. */
  const sayGoodbye = (held: ProcessWorker): Effect.Effect<void> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      held.retired = true
      const reason = api.phase(held.worker.id) === "dirty" ? "failure" : "spindown"
      if (held.door.shutdown(reason, now + settings.shutdownGraceMs) === 0) return Effect.void
      held.runtime.signal("SIGKILL")
      const extensions = [...held.extensions.values()]
      for (const group of extensions) group.signal("SIGCONT")
      return Effect.forEach(extensions, (group) => group.ended, { discard: true }).pipe(
        Effect.timeoutOption(settings.shutdownGraceMs),
        Effect.asVoid
      )
    })

  /** Its processes first, so that a failure to end them is told and the worker stays listed; then all the rest of it. */
  const remove = (held: ProcessWorker): Effect.Effect<void, RuntimeUnavailable> => {
    const killAll = Effect.forEach(groupsOf(held), (group) => ProcessGroup.kill(group, workshop), {
      discard: true
    })
    const end = sayGoodbye(held).pipe(
      Effect.andThen(killAll),
      Effect.andThen(Scope.close(held.scope, Exit.void)),
      Effect.andThen(Effect.sync(() => workers.delete(held.worker.id)))
    )
    return held.turn.withPermit(Effect.suspend(() => (workers.has(held.worker.id) ? Effect.asVoid(end) : Effect.void)))
  }

  const signal = Effect.fnUntraced(function* (
    id: ContainerId,
    owner: OwnerId,
    [name, status]: readonly ["SIGSTOP", "PAUSED"] | readonly ["SIGCONT", "RUNNING"]
  ) {
    const held = yield* find(id, owner)
    if (held.status === "STOPPED") {
      return yield* new RuntimeUnavailable({ detail: `container ${held.worker.name} is not running` })
    }
    for (const group of groupsOf(held)) group.signal(name)
    held.status = status
    if (status === "RUNNING") held.lastUsedAtUnixSeconds = nowUnixSeconds()
  })

  const metrics = Effect.fnUntraced(function* (id: ContainerId, owner: OwnerId) {
    const held = yield* find(id, owner)
    const groups = new Set(groupsOf(held).map((group) => group.id))
    const entries = held.status === "STOPPED" ? [] : (yield* table.all).filter(({ group }) => groups.has(group))
    return {
      containerId: id,
      functionName: held.worker.functionName,
      containerName: held.worker.name,
      status: held.status,
      memoryBytes: entries.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
      memoryLimitBytes: held.memoryLimitBytes,
      oomEvents: held.outOfMemory ? 1 : 0,
      cpuNanoseconds: entries.reduce((sum, { cpuNanoseconds }) => sum + cpuNanoseconds, 0),
      exitCode: exitCodeOf(held),
      exitedAtUnixSeconds: held.exit?.atUnixSeconds ?? 0,
      collectedAtUnixSeconds: nowUnixSeconds()
    }
  })

  const leftovers = WorkerDirectory.removeLeftovers(settings.stateDirectory, table, (name) => names.has(name))
  const staleCaches = WorkerCache.removeStale(settings.stateDirectory, artifacts)

  yield* Effect.logInfo(
    "Workers are child processes, for development: nothing keeps them apart from one another or from this machine"
  )
  yield* leftovers.pipe(
    Effect.flatMap((count) =>
      count === 0 ? Effect.void : Effect.logInfo(`${count} workers of an earlier run were removed`)
    ),
    // What cannot be removed is in nobody's way: names do not come again.
    Effect.ignore({ log: "Warn" })
  )
  yield* Effect.forkIn(staleCaches, home)
  yield* Effect.addFinalizer(() =>
    Effect.forEach([...workers.values()], (held) => Effect.ignore(remove(held), { log: "Warn" }), {
      concurrency: "unbounded",
      discard: true
    })
  )
  yield* Effect.forkIn(MemoryWatch.watch(workers, api.phase, table, settings), home)

  return ContainerRuntime.of({
    ensure,
    destroy: (id, owner) =>
      find(id, owner).pipe(
        Effect.flatMap(remove),
        Effect.catchTag("ContainerNotFound", () => Effect.void)
      ),
    suspend: (id, owner) => signal(id, owner, ["SIGSTOP", "PAUSED"]),
    resume: (id, owner) => signal(id, owner, ["SIGCONT", "RUNNING"]),
    list: (owner) =>
      Effect.sync(() =>
        [...workers.values()]
          .filter((held) => held.worker.owner === owner)
          .map((held): ContainerState => ({
            ...held.worker,
            status: held.status,
            phase: api.phase(held.worker.id) ?? "dirty",
            lastUsedAtUnixSeconds: Math.max(
              held.lastUsedAtUnixSeconds,
              Math.floor((held.door.lastCallAtUnixMs() ?? 0) / 1000)
            )
          }))
      ),
    metrics,
    touch: (id, owner) =>
      Effect.map(find(id, owner), (held) => {
        held.lastUsedAtUnixSeconds = nowUnixSeconds()
      }),
    isReachable: () => true,
    gc: (isGone) =>
      Effect.suspend(() => {
        const useless = [...workers.values()].filter(
          ({ status, worker }) => status === "STOPPED" || (isGone(worker.owner) && api.phase(worker.id) !== "busy")
        )
        return Effect.forEach(useless, remove, { discard: true }).pipe(
          Effect.andThen(staleCaches),
          Effect.andThen(leftovers),
          Effect.map((count) => count + useless.length)
        )
      })
  })
})

/** Where this process itself would look for a program. */
const ownPath = Effect.orDie(Config.String("PATH").pipe(Config.withDefault("")))

export const layer = (
  given: ProcessPlaces & Partial<ProcessOptions>
): Layer.Layer<ContainerRuntime, StateHold.StateInUse, ArtifactStore | RuntimeApi> =>
  Layer.effect(
    ContainerRuntime,
    Effect.flatMap(ownPath, (path) => make({ ...defaults(path), ...given }))
  )
