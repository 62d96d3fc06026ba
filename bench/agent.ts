/** What does a warm call through an Agent's data door, with mTLS, cost over the same call in process? */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Layer, Stream } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import type { Invocation } from "#domain/Invocation"
import type { OwnerId, WorkerSpec } from "#domain/Worker"
import * as FileArtifactStore from "#layers/files/FileArtifactStore"
import * as Agents from "#layers/grpc/client/Agents"
import * as AgentWatch from "#layers/grpc/client/AgentWatch"
import * as GrpcContainerRuntime from "#layers/grpc/client/GrpcContainerRuntime"
import * as HttpWorkerClient from "#layers/grpc/door/HttpWorkerClient"
import * as MemoryLogSink from "#layers/memory/MemoryLogSink"
import * as ProcessContainerRuntime from "#layers/process/ProcessContainerRuntime"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import * as LocalWorkerClient from "#layers/runtime-api/LocalWorkerClient"
import { ArtifactStore } from "#services/ArtifactStore"
import { Certificates } from "#services/Certificates"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as AgentProcess from "./parts/AgentProcess.ts"
import { cpuSeconds, figure, heading, tell, tellNumber, timed } from "./parts/Figures.ts"

const payload = new TextEncoder().encode(JSON.stringify({ text: "x".repeat(1000) }))
const rounds = 40
const callsPerRound = 100
const owner = "bench" as OwnerId

const directory = mkdtempSync(join(tmpdir(), "esb-bench-"))
const [code, home] = [join(directory, "code"), join(directory, "home")]
for (const made of [code, home]) mkdirSync(made)
writeFileSync(join(code, "index.mjs"), "export const handler = async (event) => event\n")

const invocation = (): Invocation => ({
  requestId: crypto.randomUUID(),
  functionName: "f0" as FunctionName,
  traceId: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
  invokedArn: "arn:aws:lambda:us-east-1:000000000000:function:f0",
  payload,
  clientContext: undefined,
  wantsLogTail: false
})

const artifacts = FileArtifactStore.layer(join(home, "artifacts"))

const inProcess = Layer.mergeAll(
  LocalWorkerClient.layer,
  ProcessContainerRuntime.layer({
    stateDirectory: join(directory, "own"),
    clientsDirectory: fileURLToPath(new URL("../dist/clients", import.meta.url))
  })
).pipe(
  Layer.provide(LambdaRuntimeApi.layer({ ports: { first: 18_000, last: 18_999 } })),
  Layer.provide(artifacts),
  Layer.provide(MemoryLogSink.layer())
)

const byAgent = ({ address, bundle }: AgentProcess.AgentProcess) =>
  Layer.mergeAll(GrpcContainerRuntime.layer, HttpWorkerClient.layer).pipe(
    Layer.provide(AgentWatch.layer()),
    Layer.provide(Agents.layer({ addresses: [address], owner })),
    Layer.provide(Layer.succeed(Certificates, Certificates.of({ current: () => bundle, changes: Stream.empty })))
  )

/** A worker that is warm, and one call of it. */
const warm = Effect.fnUntraced(function* (spec: WorkerSpec) {
  const runtime = yield* ContainerRuntime
  const client = yield* WorkerClient
  const worker = yield* Effect.acquireRelease(runtime.ensure(spec, owner), (worker) =>
    Effect.orDie(runtime.destroy(worker.id, owner))
  )
  yield* client.ready(worker)
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  return () => run(client.send(worker, invocation()))
})

const main = Effect.gen(function* () {
  const { image } = yield* (yield* ArtifactStore).put({ taskDirectory: code, layerDirectories: [] })
  const spec: WorkerSpec = {
    functionName: invocation().functionName,
    image,
    environment: {
      _HANDLER: "index.handler",
      AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "256"
    },
    specHash: "bench"
  }
  mkdirSync(join(directory, "own"))
  const agent = yield* AgentProcess.start(home)
  const own = yield* Layer.build(inProcess).pipe(Effect.flatMap((layers) => Effect.provide(warm(spec), layers)))
  const far = yield* Layer.build(byAgent(agent)).pipe(Effect.flatMap((layers) => Effect.provide(warm(spec), layers)))
  const [floor, through]: [Array<number>, Array<number>] = [[], []]
  let agentSeconds = 0
  for (let round = -5; round < rounds; round++) {
    const before = cpuSeconds(agent.pid)
    for (let call = 0; call < callsPerRound; call++) {
      const [near, distant] = [yield* Effect.promise(() => timed(own)), yield* Effect.promise(() => timed(far))]
      if (round < 0) continue
      floor.push(near)
      through.push(distant)
    }
    if (round >= 0) agentSeconds += cpuSeconds(agent.pid) - before
  }
  const [near, distant] = [figure("floor: in process", floor), figure("through the data door, mTLS", through)]
  tell(near)
  tell(distant)
  const [p50, p99] = [distant.p50 - near.p50, distant.p99 - near.p99]
  tellNumber("added by the data door", `p50 ${p50.toFixed(3)} ms, p99 ${p99.toFixed(3)} ms  (bar: p50 ≤ 0.25 ms)`)
  tellNumber("CPU of the Agent", `${((agentSeconds / through.length) * 1e6).toFixed(0)} µs a call`)
})

heading("warm call of a Node function, 1 KiB, 1 in flight, process runtime")
await Effect.runPromise(main.pipe(Effect.scoped, Effect.provide(artifacts)))
rmSync(directory, { recursive: true, force: true })
