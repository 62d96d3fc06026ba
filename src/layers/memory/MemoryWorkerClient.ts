/** Calls the functions of {@link MemoryWorkers} in this process, and fails as a worker over a network would. */
import { Clock, Deferred, Effect, Exit, Layer } from "effect"
import { InitFailed, InvocationTimedOut, WorkerExited, WorkerUnreachable } from "#domain/Failure"
import { errorPayload, type Invocation, type InvocationResult, timedOutPayload } from "#domain/Invocation"
import * as LogTail from "#domain/LogTail"
import * as ReportLine from "#domain/ReportLine"
import type { ContainerId, Worker } from "#domain/Worker"
import { exitError, type ExitStatus } from "#domain/WorkerExit"
import { WorkerClient } from "#services/WorkerClient"
import { type MemoryContext, type MemoryWorker, MemoryWorkers, run, Thrown } from "./MemoryWorkers.ts"

/** What `context.exit` throws: no error of the function, but the end of its worker. */
class Exited {
  readonly code: number
  constructor(code: number) {
    this.code = code
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const encode = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value ?? null))

const initLimitMs = 10_000

/** What the last lines of a call look like, built only for callers that asked. */
const tailOf = (invocation: Invocation, lines: ReadonlyArray<string>, last: ReadonlyArray<string>): Uint8Array => {
  if (!invocation.wantsLogTail) return new Uint8Array()
  const tail = LogTail.make()
  const all = [ReportLine.start(invocation.requestId), ...lines, ReportLine.end(invocation.requestId), ...last]
  for (const line of all) tail.append(line)
  return tail.bytes()
}

export const layer: Layer.Layer<WorkerClient, never, MemoryWorkers> = Layer.effect(
  WorkerClient,
  Effect.gen(function* () {
    const { kill, workers } = yield* MemoryWorkers

    const unreachable = (id: ContainerId, detail: string) => new WorkerUnreachable({ containerId: id, detail })

    /** The handler's answer. An error of the function is an answer; only the end of its worker is a failure. */
    const answer = Effect.fnUntraced(function* (held: MemoryWorker, invocation: Invocation) {
      const startedAt = yield* Clock.currentTimeMillis
      held.lastUsedAtUnixSeconds = Math.floor(startedAt / 1_000)
      const lines: Array<string> = []
      const context: MemoryContext = {
        invocation,
        containerId: held.worker.id,
        log: (line) => void lines.push(line),
        exit: (code) => {
          throw new Exited(code)
        }
      }
      const parsed = Effect.try({
        try: (): unknown => JSON.parse(decoder.decode(invocation.payload)),
        catch: (value) => new Thrown(value)
      })
      const handled = parsed.pipe(
        Effect.flatMap((event) => run(held.code, event, context)),
        Effect.map((value) => ({ payload: encode(value), errorType: undefined })),
        Effect.catch((thrown): Effect.Effect<{ payload: Uint8Array; errorType: string }> => {
          if (thrown.value instanceof Exited) {
            const { code } = thrown.value
            const status: ExitStatus = { code, signal: undefined, outOfMemory: false, extension: undefined }
            return Effect.andThen(kill(held.worker.id, status), Effect.never)
          }
          const { errorType, message } = thrown
          return Effect.succeed({ payload: errorPayload(errorType, message), errorType })
        })
      )
      const { errorType, payload } = yield* handled
      const report = {
        durationMs: (yield* Clock.currentTimeMillis) - startedAt,
        initDurationMs: undefined,
        maxMemoryBytes: 0
      }
      const reportLine = ReportLine.report(invocation.requestId, held.settings.memoryMiB, report, "success")
      return {
        payload,
        contentType: "application/json",
        errorType,
        report,
        logTail: tailOf(invocation, lines, [reportLine])
      } satisfies InvocationResult
    })

    const call = (held: MemoryWorker, invocation: Invocation) => {
      const about = {
        functionName: held.worker.functionName,
        containerId: held.worker.id,
        requestId: invocation.requestId,
        logTail: tailOf(invocation, [], [])
      }
      const ended = Effect.flatMap(Deferred.await(held.ended), (status) =>
        Effect.fail(new WorkerExited({ ...about, ...exitError(invocation.requestId, status) }))
      )
      const { timeoutMs } = held.settings
      return held.thawed.await.pipe(
        Effect.andThen(answer(held, invocation)),
        Effect.raceFirst(ended),
        Effect.timeoutOrElse({
          duration: timeoutMs,
          orElse: () =>
            Effect.fail(
              new InvocationTimedOut({
                ...about,
                errorType: "Sandbox.Timedout",
                payload: timedOutPayload(invocation.requestId, timeoutMs)
              })
            )
        }),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            held.phase = Exit.isSuccess(exit) && held.status !== "STOPPED" ? "idle" : "dirty"
          })
        )
      )
    }

    return {
      ready: (worker) => {
        const held = workers.get(worker.id)
        if (held === undefined) return Effect.fail(unreachable(worker.id, "no such worker"))
        const ended = Effect.andThen(
          Deferred.await(held.ended),
          Effect.fail(unreachable(worker.id, "it ended before it was ready"))
        )
        return Deferred.await(held.initialised).pipe(
          Effect.raceFirst(ended),
          Effect.timeoutOrElse({
            duration: initLimitMs,
            orElse: () =>
              Effect.fail(
                new InitFailed({
                  functionName: worker.functionName,
                  containerId: worker.id,
                  requestId: "",
                  errorType: "Sandbox.Timedout",
                  payload: timedOutPayload("", initLimitMs),
                  logTail: new Uint8Array()
                })
              )
          })
        )
      },
      send: (worker, invocation) =>
        Effect.suspend((): Effect.Effect<InvocationResult, InvocationTimedOut | WorkerExited | WorkerUnreachable> => {
          const held = workers.get(worker.id)
          if (held === undefined) return Effect.fail(unreachable(worker.id, "no such worker"))
          if (held.phase !== "idle") return Effect.fail(unreachable(worker.id, `it is ${held.phase}`))
          held.phase = "busy"
          return call(held, invocation)
        }),
      isAlive: ({ id }: Worker) => {
        const held = workers.get(id)
        return held !== undefined && held.status !== "STOPPED" && held.phase !== "dirty"
      },
      thaws: () => false
    }
  })
)
