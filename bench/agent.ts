/** What does a warm call through an Agent's data door, with mTLS, cost over the same call in process? */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Layer } from "effect"
import * as FileArtifactStore from "#layers/files/FileArtifactStore"
import * as MemoryLogSink from "#layers/memory/MemoryLogSink"
import * as ProcessContainerRuntime from "#layers/process/ProcessContainerRuntime"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import * as LocalWorkerClient from "#layers/runtime-api/LocalWorkerClient"
import { ArtifactStore } from "#services/ArtifactStore"
import * as AgentProcess from "./parts/AgentProcess.ts"
import { cpuSeconds, figure, heading, tell, tellNumber, timed } from "./parts/Figures.ts"
import * as WarmWorker from "./parts/WarmWorker.ts"

const payload = new TextEncoder().encode(JSON.stringify({ text: "x".repeat(1000) }))
const rounds = 40
const callsPerRound = 100

const directory = mkdtempSync(join(tmpdir(), "esb-bench-"))
const [code, home] = [join(directory, "code"), join(directory, "home")]
for (const made of [code, home]) mkdirSync(made)
writeFileSync(join(code, "index.mjs"), "export const handler = async (event) => event\n")

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

const main = Effect.gen(function* () {
  const { image } = yield* (yield* ArtifactStore).put({ taskDirectory: code, layerDirectories: [] })
  const warm = WarmWorker.start(WarmWorker.specOf(image, "index.handler"), payload)
  mkdirSync(join(directory, "own"))
  const agent = yield* AgentProcess.start(home)
  const own = yield* Effect.flatMap(Layer.build(inProcess), (layers) => Effect.provide(warm, layers))
  const far = yield* Effect.flatMap(Layer.build(WarmWorker.byAgent(agent)), (layers) => Effect.provide(warm, layers))
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
