/** A worker that is warm, driven without a Gateway: in this process, or through an Agent. */
import { Effect, Layer, Stream } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import type { Invocation } from "#domain/Invocation"
import type { OwnerId, WorkerSpec } from "#domain/Worker"
import * as Agents from "#layers/grpc/client/Agents"
import * as AgentWatch from "#layers/grpc/client/AgentWatch"
import * as GrpcContainerRuntime from "#layers/grpc/client/GrpcContainerRuntime"
import * as HttpWorkerClient from "#layers/grpc/door/HttpWorkerClient"
import { Certificates } from "#services/Certificates"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import type { AgentProcess } from "./AgentProcess.ts"

const owner = "bench" as OwnerId
const functionName = "f0" as FunctionName

/** A Node function of 256 MiB in that image or artifact. */
export const specOf = (image: string, handler: string): WorkerSpec => ({
  functionName,
  image,
  environment: {
    _HANDLER: handler,
    AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "256"
  },
  specHash: "bench"
})

export const invocation = (payload: Uint8Array): Invocation => ({
  requestId: crypto.randomUUID(),
  functionName,
  traceId: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
  invokedArn: "arn:aws:lambda:us-east-1:000000000000:function:f0",
  payload,
  clientContext: undefined,
  wantsLogTail: false
})

/** Workers of an Agent, called through its data door. */
export const byAgent = ({ address, bundle }: AgentProcess) =>
  Layer.mergeAll(GrpcContainerRuntime.layer, HttpWorkerClient.layer).pipe(
    Layer.provide(AgentWatch.layer()),
    Layer.provide(Agents.layer({ addresses: [address], owner })),
    Layer.provide(Layer.succeed(Certificates, Certificates.of({ current: () => bundle, changes: Stream.empty })))
  )

/** One call of it, again and again. The worker is gone when the scope ends. */
export const start = Effect.fnUntraced(function* (spec: WorkerSpec, payload: Uint8Array) {
  const runtime = yield* ContainerRuntime
  const client = yield* WorkerClient
  const worker = yield* Effect.acquireRelease(runtime.ensure(spec, owner), (worker) =>
    Effect.orDie(runtime.destroy(worker.id, owner))
  )
  yield* client.ready(worker)
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  return () => run(client.send(worker, invocation(payload)))
})
