/**
 * Calls workers through the RPC `InvokeWorker`, for Gateways that reach nothing of an Agent but its gRPC port. Answers are
 * held in memory, streamed ones too.
 */
import { Clock, Effect, Exit, Layer } from "effect"
import { WorkerUnreachable } from "#domain/Failure"
import type { Invocation } from "#domain/Invocation"
import * as InvocationHeaders from "#domain/InvocationHeaders"
import * as RieCall from "#domain/RieCall"
import type { Worker } from "#domain/Worker"
import { WorkerClient } from "#services/WorkerClient"
import { ofCall } from "./AgentCallFailure.ts"
import { Agents } from "./Agents.ts"
import { AgentWatch } from "./AgentWatch.ts"
import { AgentService } from "../generated/agent_pb.ts"
import * as InvokeAnswer from "./InvokeAnswer.ts"

/** An Agent that keeps to the limit it was given is heard before ours has passed. */
const marginMs = 5_000

/** An Agent of another implementation hands the headers on to the emulator as they are. */
const headersOf = ({ protocol }: Worker, invocation: Invocation): InvocationHeaders.Headers =>
  protocol === "rie"
    ? { ...InvocationHeaders.ofCall(invocation), ...RieCall.headersOf(invocation) }
    : InvocationHeaders.ofCall(invocation)

export const layer: Layer.Layer<WorkerClient, never, Agents | AgentWatch> = Layer.effect(
  WorkerClient,
  Effect.gen(function* () {
    const { agentOf, deadlines } = yield* Agents
    const { isAlive, lost, refresh } = yield* AgentWatch
    const clock = yield* Clock.Clock
    /** Workers that have answered. One that was adopted is taken for new, which costs a word in the report of its end. */
    const proven = new WeakSet<Worker>()

    const call = Effect.fnUntraced(function* (worker: Worker, invocation: Invocation) {
      const { id: containerId, owner: ownerId } = worker
      const agent = agentOf(containerId)
      if (agent === undefined) return yield* new WorkerUnreachable({ containerId, detail: "no Agent holds it" })
      const request = {
        containerId,
        ownerId,
        payload: invocation.payload,
        headers: headersOf(worker, invocation),
        timeoutMs: deadlines.invoke
      }
      const sentAtMs = clock.currentTimeMillisUnsafe()
      const response = yield* agent
        .call(AgentService.method.invokeWorker, request, deadlines.invoke + marginMs)
        .pipe(Effect.mapError(ofCall(worker, invocation, deadlines.invoke)))
      const elapsedMs = clock.currentTimeMillisUnsafe() - sentAtMs
      const about = { worker, requestId: invocation.requestId, isFirst: !proven.has(worker), elapsedMs }
      const result = yield* Effect.fromResult(InvokeAnswer.read(response, about))
      proven.add(worker)
      return result
    })

    return WorkerClient.of({
      // The Agent waits until it is: with the call itself.
      ready: () => Effect.void,
      send: (worker, invocation) =>
        call(worker, invocation).pipe(
          Effect.onExit((exit) =>
            Effect.sync(() => {
              if (!Exit.isSuccess(exit)) lost(worker.id)
            })
          ),
          // Who tries another worker after this shall know what has become of all of them.
          Effect.tapError(({ _tag }) => (_tag === "WorkerUnreachable" ? refresh(worker.id) : Effect.void))
        ),
      isAlive: ({ id }) => isAlive(id),
      thaws: () => false
    })
  })
)
