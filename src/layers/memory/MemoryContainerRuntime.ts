/** Workers that are values of this process: starts, ownership and states as an engine has them, without an engine. */
import { Clock, Deferred, Effect, Exit, Latch, Layer, Result, Scope } from "effect"
import { ArtifactNotFound, InitFailed, RuntimeUnavailable } from "#domain/Failure"
import { errorPayload } from "#domain/Invocation"
import * as Ownership from "#domain/Ownership"
import type { StackIdentity } from "#domain/StackIdentity"
import { ContainerId, type ContainerState, type OwnerId, type Worker, type WorkerSpec } from "#domain/Worker"
import type { ExitStatus } from "#domain/WorkerExit"
import * as WorkerName from "#domain/WorkerName"
import * as WorkerSettings from "#domain/WorkerSettings"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { initialise, type MemoryWorker, MemoryWorkers } from "./MemoryWorkers.ts"

const bytesPerMiB = 1_048_576

/** The names are made for this stack unless another is given. */
const tests: StackIdentity = { brand: "esb", environment: "test" }

const unixSeconds = Effect.map(Clock.currentTimeMillis, (now) => Math.floor(now / 1_000))

/** Runs a worker's init code, and ends the worker when that fails. */
const bringUp = (started: MemoryWorker, spec: WorkerSpec, kill: Effect.Effect<void>): Effect.Effect<void> =>
  initialise(started.code, spec).pipe(
    Effect.matchEffect({
      onSuccess: () => {
        started.phase = "idle"
        return Deferred.succeed(started.initialised, undefined)
      },
      onFailure: ({ errorType, message }) => {
        const failure = new InitFailed({
          functionName: spec.functionName,
          containerId: started.worker.id,
          requestId: "",
          errorType,
          payload: errorPayload(errorType, message),
          logTail: new Uint8Array()
        })
        return Effect.andThen(Deferred.fail(started.initialised, failure), kill)
      }
    }),
    Effect.asVoid
  )

export const layer = (identity: StackIdentity = tests): Layer.Layer<ContainerRuntime, never, MemoryWorkers> =>
  Layer.effect(
    ContainerRuntime,
    Effect.gen(function* () {
      const { functions, kill, workers } = yield* MemoryWorkers
      const home = yield* Effect.scope
      let serial = 0

      const find = (id: ContainerId, owner: OwnerId) => Effect.fromResult(Ownership.find(workers, id, owner))

      const ensure = Effect.fnUntraced(function* (spec: WorkerSpec, owner: OwnerId) {
        const code = functions[spec.functionName]
        if (code === undefined) return yield* new ArtifactNotFound({ image: spec.image })
        const settings = WorkerSettings.fromEnvironment(spec.environment)
        if (Result.isFailure(settings)) return yield* new RuntimeUnavailable({ detail: settings.failure })
        serial += 1
        const random = Uint8Array.of(serial >>> 24, serial >>> 16, serial >>> 8, serial)
        const name = WorkerName.make(identity, spec.functionName, random)
        const createdAtUnixSeconds = yield* unixSeconds
        const worker: Worker = {
          id: ContainerId.make(name),
          name,
          functionName: spec.functionName,
          owner,
          specHash: spec.specHash,
          protocol: "runtime-api",
          address: { host: "127.0.0.1", port: 0 },
          createdAtUnixSeconds
        }
        const started: MemoryWorker = {
          worker,
          settings: settings.success,
          code,
          initialised: yield* Deferred.make<void, InitFailed>(),
          ended: yield* Deferred.make<ExitStatus>(),
          thawed: yield* Latch.make(true),
          scope: yield* Scope.fork(home),
          status: "RUNNING",
          phase: "init",
          lastUsedAtUnixSeconds: createdAtUnixSeconds,
          exit: undefined
        }
        workers.set(worker.id, started)
        yield* Effect.forkIn(bringUp(started, spec, kill(worker.id)), started.scope)
        return worker
      }, Effect.uninterruptible)

      const remove = (found: MemoryWorker) =>
        Effect.andThen(kill(found.worker.id), Scope.close(found.scope, Exit.void)).pipe(
          Effect.ensuring(Effect.sync(() => workers.delete(found.worker.id)))
        )

      const destroy = (id: ContainerId, owner: OwnerId) =>
        find(id, owner).pipe(
          Effect.flatMap(remove),
          Effect.catchTag("ContainerNotFound", () => Effect.void)
        )

      const running = (found: MemoryWorker): Effect.Effect<MemoryWorker, RuntimeUnavailable> =>
        found.status === "STOPPED"
          ? Effect.fail(new RuntimeUnavailable({ detail: `${found.worker.name} is not running` }))
          : Effect.succeed(found)

      return {
        ensure,
        destroy,
        suspend: (id, owner) =>
          find(id, owner).pipe(
            Effect.flatMap(running),
            Effect.flatMap((found) => {
              found.status = "PAUSED"
              return Latch.close(found.thawed)
            })
          ),
        resume: (id, owner) =>
          find(id, owner).pipe(
            Effect.flatMap(running),
            Effect.flatMap(
              Effect.fnUntraced(function* (found) {
                found.status = "RUNNING"
                found.lastUsedAtUnixSeconds = yield* unixSeconds
                yield* Latch.open(found.thawed)
              })
            )
          ),
        list: (owner) =>
          Effect.sync(() =>
            [...workers.values()]
              .filter((found) => found.worker.owner === owner)
              .map((found): ContainerState => ({
                ...found.worker,
                status: found.status,
                phase: found.phase,
                lastUsedAtUnixSeconds: found.lastUsedAtUnixSeconds
              }))
          ),
        metrics: Effect.fnUntraced(function* (id: ContainerId, owner: OwnerId) {
          const found = yield* find(id, owner)
          return {
            containerId: id,
            functionName: found.worker.functionName,
            containerName: found.worker.name,
            status: found.status,
            memoryBytes: 0,
            memoryLimitBytes: found.settings.memoryMiB * bytesPerMiB,
            oomEvents: found.exit?.status.outOfMemory === true ? 1 : 0,
            cpuNanoseconds: 0,
            exitCode: found.exit?.status.code ?? 0,
            exitedAtUnixSeconds: found.exit?.atUnixSeconds ?? 0,
            collectedAtUnixSeconds: yield* unixSeconds
          }
        }),
        touch: Effect.fnUntraced(function* (id: ContainerId, owner: OwnerId) {
          const found = yield* find(id, owner)
          found.lastUsedAtUnixSeconds = yield* unixSeconds
        }),
        isReachable: () => true,
        gc: (isGone) =>
          Effect.suspend(() => {
            const useless = [...workers.values()].filter(
              ({ phase, status, worker }) => status === "STOPPED" || (isGone(worker.owner) && phase !== "busy")
            )
            return Effect.as(Effect.forEach(useless, remove, { discard: true }), useless.length)
          })
      }
    })
  )
