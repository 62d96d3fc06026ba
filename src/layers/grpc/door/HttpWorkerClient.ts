/**
 * Calls workers by the data door of their Agent. Nothing is sent twice here: what may have reached a function is told as an
 * exit, and only what certainly has not as `WorkerUnreachable`.
 */
import { Effect, Layer } from "effect"
import type { AnswerStream, Invocation, InvocationResult } from "#domain/Invocation"
import * as InvocationHeaders from "#domain/InvocationHeaders"
import type { LentWorker, Worker } from "#domain/Worker"
import type { Certificates } from "#services/Certificates"
import { type SendFailure, WorkerClient } from "#services/WorkerClient"
import type { DoorLimits } from "./AgentDoor.ts"
import * as AgentDoors from "./AgentDoors.ts"
import { AgentWatch } from "../client/AgentWatch.ts"
import type * as DoorExchange from "./DoorExchange.ts"
import * as DoorOutcome from "./DoorOutcome.ts"
import { invocationPath, ownerHeader, readyPath, thawingPath } from "./DoorRequest.ts"

const isFailure = (outcome: InvocationResult | SendFailure): outcome is SendFailure => "_tag" in outcome

const make = Effect.gen(function* () {
  const doors = yield* AgentDoors.AgentDoors
  const watch = yield* AgentWatch

  /** Doors that do not thaw workers: of Agents that are older than this. */
  const older = new WeakSet<DoorExchange.Ask>()
  /** Doors that could not be reached, and have not answered since: nobody else waits there for the same to happen again. */
  const silent = new WeakSet<DoorExchange.Ask>()

  const ownerOf = ({ owner }: Worker) => ({ [ownerHeader]: InvocationHeaders.ofText(owner) })

  const call = (
    worker: LentWorker,
    invocation: Invocation,
    stream: AnswerStream | undefined
  ): Effect.Effect<InvocationResult, SendFailure> => {
    const ask = doors.at(worker.address)
    const headers: Record<string, string> = { ...InvocationHeaders.ofCall(invocation), ...ownerOf(worker) }
    if (stream !== undefined) headers["te"] = "trailers"
    const path = worker.isFrozen === true ? thawingPath(worker.id) : invocationPath(worker.id)
    return Effect.matchEffect(ask({ method: "POST", path, headers, body: invocation.payload }, stream), {
      onSuccess: (answer) => {
        silent.delete(ask)
        if (DoorOutcome.knowsNoThaw(worker, answer)) older.add(ask)
        const outcome = DoorOutcome.ofAnswer(worker, invocation, answer)
        if (!isFailure(outcome)) return Effect.succeed(outcome)
        // Who met nobody asks the Agent: one that is stopping refuses calls of workers that go on after it.
        if (outcome._tag !== "WorkerUnreachable") watch.lost(worker.id)
        return Effect.fail(outcome)
      },
      // What became of the worker only its Agent can tell.
      onFailure: (broken) => {
        if (broken._tag === "NotSent") silent.add(ask)
        return Effect.fail(DoorOutcome.ofBreak(worker, invocation, broken))
      }
    })
  }

  /** Who tries another worker after this shall know what has become of all of them. */
  const learn = ({ id }: Worker, { _tag }: SendFailure): Effect.Effect<void> =>
    _tag === "WorkerUnreachable" ? watch.refresh(id) : Effect.void

  return WorkerClient.of({
    ready: Effect.fnUntraced(function* (worker) {
      const request = { method: "GET", path: readyPath(worker.id), headers: ownerOf(worker) } as const
      const answer = yield* Effect.mapError(doors.at(worker.address)(request), ({ detail }) =>
        DoorOutcome.unreachable(worker, detail)
      )
      if (answer.status === 204) return
      const failure = DoorOutcome.declaredIn(answer)
      if (failure?._tag === "InitFailed" || failure?._tag === "WorkerUnreachable") return yield* failure
      return yield* DoorOutcome.unreachable(
        worker,
        failure?.message ?? `the Agent answered with status ${answer.status}`
      )
    }),
    send: (worker, invocation, stream) =>
      Effect.tapError(call(worker, invocation, stream), (failure) => learn(worker, failure)),
    isAlive: ({ id }) => watch.isAlive(id),
    thaws: ({ address }) => {
      const ask = doors.at(address)
      return !older.has(ask) && !silent.has(ask)
    }
  })
})

export const layerWith = (limits: Partial<DoorLimits>): Layer.Layer<WorkerClient, never, AgentWatch | Certificates> =>
  Layer.effect(WorkerClient, make).pipe(Layer.provide(AgentDoors.layer(limits)))

export const layer = layerWith({})
