/** What a Gateway has of the room `grpc`, towards Agents that a test names. */
import { Effect, Layer, References, Stream } from "effect"
import { FunctionName } from "#domain/FunctionName"
import { ContainerId, OwnerId, type Worker, type WorkerSpec } from "#domain/Worker"
import * as Agents from "#layers/grpc/client/Agents"
import * as AgentWatch from "#layers/grpc/client/AgentWatch"
import * as GrpcContainerRuntime from "#layers/grpc/client/GrpcContainerRuntime"
import * as GrpcWorkerClient from "#layers/grpc/client/GrpcWorkerClient"
import { Certificates } from "#services/Certificates"

export const owner = OwnerId.make("gateway-mine")

export const spec: WorkerSpec = {
  functionName: FunctionName.make("orders"),
  image: "registry:5010/esb-orders:latest",
  environment: { AWS_LAMBDA_FUNCTION_TIMEOUT: "3" },
  specHash: "5ec"
}

/** One that an Agent has started for that. */
export const worker: Worker = {
  id: ContainerId.make("esb-test-orders-00000001"),
  name: "esb-test-orders-00000001",
  functionName: spec.functionName,
  owner,
  specHash: spec.specHash,
  protocol: "runtime-api",
  address: { host: "127.0.0.1", port: 50_052 },
  createdAtUnixSeconds: 0
}

/** Nothing is encrypted and nothing checked. */
export const plain: Layer.Layer<Certificates> = Layer.succeed(
  Certificates,
  Certificates.of({ current: () => undefined, changes: Stream.empty })
)

/** No list is asked for by itself, so that a test sees only its own calls. */
const never = 2 ** 31 - 1

export interface Options extends Omit<Agents.Options, "addresses" | "owner">, AgentWatch.WatchOptions {
  readonly certificates?: Layer.Layer<Certificates>
}

const layer = (
  addresses: ReadonlyArray<string>,
  { certificates = plain, pollEveryMs = never, ...options }: Options = {}
) =>
  Layer.mergeAll(GrpcContainerRuntime.layer, GrpcWorkerClient.layer).pipe(
    Layer.provideMerge(AgentWatch.layer({ pollEveryMs })),
    Layer.provideMerge(Agents.layer({ addresses, owner, ...options })),
    Layer.provide(certificates),
    // That an Agent is silent is what these tests are about.
    Layer.provide(Layer.succeed(References.MinimumLogLevel, "Error"))
  )

/** The client's services inside a test that has made its Agents first. */
export const using =
  (addresses: ReadonlyArray<string>, options?: Options) =>
  <A, E, R>(test: Effect.Effect<A, E, R>) =>
    Effect.provide(test, layer(addresses, options))
