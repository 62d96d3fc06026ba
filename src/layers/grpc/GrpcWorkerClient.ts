/** Calls workers through the RPC `InvokeWorker`, for Gateways that reach nothing of an Agent but its gRPC port. */
import { Effect, Exit, Layer } from "effect"
import { WorkerUnreachable } from "#domain/Failure"
import type { Invocation } from "#domain/Invocation"
import * as InvocationHeaders from "#domain/InvocationHeaders"
import type { Worker } from "#domain/Worker"
import { WorkerClient } from "#services/WorkerClient"
import { ofCall } from "./AgentCallFailure.ts"
import { Agents } from "./Agents.ts"
import { AgentWatch } from "./AgentWatch.ts"
import { AgentService } from "./generated/agent_pb.ts"

/** An Agent that keeps to the limit it was given is heard before ours has passed. */
const marginMs = 5_000

export const layer: Layer.Layer<WorkerClient, never, Agents | AgentWatch> = Layer.effect(
  WorkerClient,
  Effect.gen(function* () {
    const { agentOf, deadlines } = yield* Agents
    const { isAlive, lost } = yield* AgentWatch

    const call = Effect.fnUntraced(function* (worker: Worker, invocation: Invocation) {
      const { id: containerId, owner: ownerId } = worker
      const agent = agentOf(containerId)
      if (agent === undefined) return yield* new WorkerUnreachable({ containerId, detail: "no Agent holds it" })
      const request = {
        containerId,
        ownerId,
        payload: invocation.payload,
        headers: InvocationHeaders.ofCall(invocation),
        timeoutMs: deadlines.invoke
      }
      const answer = yield* agent
        .call(AgentService.method.invokeWorker, request, deadlines.invoke + marginMs)
        .pipe(Effect.mapError(ofCall(worker, invocation, deadlines.invoke)))
      return { ...InvocationHeaders.toResult(answer.headers), payload: answer.body }
    })

    return {
      // The Agent waits until it is: with the call itself.
      ready: () => Effect.void,
      send: (worker, invocation) =>
        Effect.onExit(call(worker, invocation), (exit) =>
          Effect.sync(() => {
            if (!Exit.isSuccess(exit)) lost(worker.id)
          })
        ),
      isAlive: ({ id }) => isAlive(id)
    }
  })
)
