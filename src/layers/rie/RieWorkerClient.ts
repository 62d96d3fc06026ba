/**
 * Reaches workers that are spoken to through the Runtime Interface Emulator in their image. It takes one call at a time,
 * answers in one piece, and keeps its log to itself: a result from here has no log tail, its duration is measured on this side
 * (the first one contains the start of the function), and memory is not told.
 */
import { Effect, Layer, Result } from "effect"
import { randomUUID } from "node:crypto"
import { Agent } from "undici"
import { InitFailed, WorkerUnreachable } from "#domain/Failure"
import type { Invocation, InvocationResult } from "#domain/Invocation"
import * as RieAnswer from "#domain/RieAnswer"
import type { Worker } from "#domain/Worker"
import { timeoutError } from "#domain/WorkerExit"
import { type SendFailure, WorkerClient } from "#services/WorkerClient"
import { type EmulatedWorker, EmulatedWorkers } from "./EmulatedWorkers.ts"
import * as EmulatorCall from "./EmulatorCall.ts"
import * as EmulatorPort from "./EmulatorPort.ts"
import { defaults, type RieSettings } from "./RieSettings.ts"

const originOf = ({ address: { host, port } }: Worker): string =>
  `http://${host.includes(":") ? `[${host}]` : host}:${port}`

const unreachable = (worker: Worker, detail: string) => new WorkerUnreachable({ containerId: worker.id, detail })

const notListening = (worker: Worker, limitMs: number): InitFailed => {
  const { functionName, id: containerId } = worker
  const requestId = randomUUID()
  const { errorType, payload } = timeoutError(requestId, limitMs)
  return new InitFailed({ functionName, containerId, requestId, errorType, payload, logTail: new Uint8Array() })
}

const resultOf = (answer: RieAnswer.FunctionAnswer, durationMs: number): InvocationResult => ({
  ...answer,
  report: { durationMs, initDurationMs: undefined, maxMemoryBytes: 0 },
  logTail: new Uint8Array()
})

/** What the caller is told of how his call ended, and what that means for the worker. */
const settle = (
  ending: EmulatorCall.Ending,
  call: RieAnswer.EmulatedCall,
  held: EmulatedWorker,
  answerLimitBytes: number
): Result.Result<RieAnswer.FunctionAnswer, SendFailure> => {
  switch (ending._tag) {
    case "Unsent":
      held.spoil(ending.detail)
      return Result.fail(new WorkerUnreachable({ containerId: call.worker.id, detail: ending.detail }))
    case "Cut":
      held.spoil(ending.detail)
      return Result.fail(RieAnswer.exited(call))
    case "TooLarge":
      held.spoil("its answer was cut off")
      return Result.succeed(RieAnswer.tooLarge(answerLimitBytes))
    case "Answered": {
      const told = RieAnswer.read(ending.answer, call)
      if (Result.isSuccess(told)) held.answered()
      else held.spoil(told.failure.message)
      return told
    }
  }
}

export const layer = (given: Partial<RieSettings> = {}): Layer.Layer<WorkerClient> =>
  Layer.effect(
    WorkerClient,
    Effect.gen(function* () {
      const settings: RieSettings = { ...defaults, ...given }
      const { answerLimitBytes, callLimitMs, connectLimitMs, initLimitMs } = settings
      const workers = new EmulatedWorkers(settings.rememberedWorkers)
      const agent = yield* Effect.acquireRelease(
        // The limits of a call are its own, so undici has none.
        Effect.sync(
          () => new Agent({ connections: 1, connect: { timeout: connectLimitMs }, headersTimeout: 0, bodyTimeout: 0 })
        ),
        (open) => Effect.promise(() => open.destroy())
      )

      const ready = (worker: Worker) =>
        Effect.suspend((): Effect.Effect<void, InitFailed | WorkerUnreachable> => {
          const held = workers.get(worker.id)
          if (held.spoilt !== undefined) return Effect.fail(unreachable(worker, held.spoilt))
          if (held.isReached) return Effect.void
          return EmulatorPort.accepting(worker.address, settings).pipe(
            Effect.timeoutOrElse({
              duration: initLimitMs,
              orElse: () => Effect.fail(notListening(worker, initLimitMs))
            }),
            Effect.andThen(
              Effect.sync(() => {
                held.isReached = true
              })
            )
          )
        })

      const call = (worker: Worker, held: EmulatedWorker, invocation: Invocation) => {
        const { requestId } = invocation
        const after = (elapsedMs: number): RieAnswer.EmulatedCall => ({
          worker,
          requestId,
          isFirst: !held.hasAnswered,
          elapsedMs
        })
        const onHandOver = (): void => held.handOver()
        return EmulatorCall.post(agent, invocation, { origin: originOf(worker), answerLimitBytes, onHandOver }).pipe(
          Effect.flatMap((ending): Effect.Effect<InvocationResult, SendFailure> => {
            const told = settle(ending, after(ending.elapsedMs), held, answerLimitBytes)
            return Effect.fromResult(Result.map(told, (answer) => resultOf(answer, ending.elapsedMs)))
          }),
          Effect.timeoutOrElse({
            duration: callLimitMs,
            orElse: () => Effect.fail(RieAnswer.timedOut(after(callLimitMs), callLimitMs))
          })
        )
      }

      const take = (worker: Worker) =>
        Effect.suspend(() => {
          const held = workers.get(worker.id)
          const refusal = held.take()
          return refusal === undefined ? Effect.succeed(held) : Effect.fail(unreachable(worker, refusal))
        })

      return {
        ready,
        send: (worker, invocation) =>
          Effect.acquireUseRelease(
            take(worker),
            (held) => call(worker, held, invocation),
            // What was settled stays as it is; a call that nobody waits for any more spoils its worker.
            (held) => Effect.sync(() => held.leave())
          ),
        isAlive: ({ id }) => workers.find(id)?.spoilt === undefined,
        thaws: () => false
      }
    })
  )
