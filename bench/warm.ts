/**
 * What does a warm call through the Gateway add to driving the worker's door directly? And how much of the Gateway's own
 * CPU does it cost, and how many calls a second come of it?
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Layer } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import type { Invocation } from "#domain/Invocation"
import type { OwnerId } from "#domain/Worker"
import * as FileArtifactStore from "#layers/files/FileArtifactStore"
import * as MemoryLogSink from "#layers/memory/MemoryLogSink"
import * as ProcessContainerRuntime from "#layers/process/ProcessContainerRuntime"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import { ArtifactStore } from "#services/ArtifactStore"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { RuntimeApi } from "#services/RuntimeApi"
import * as DrivenStack from "./parts/DrivenStack.ts"
import { cpuSeconds, figure, heading, tell, tellNumber, timed } from "./parts/Figures.ts"

const payload = JSON.stringify({ text: "x".repeat(1000) })
const rounds = 20
const callsPerRound = 100
/** Calls of each flood. */
const total = 8000
const owner = "bench" as OwnerId

const directory = mkdtempSync(join(tmpdir(), "esb-bench-"))
mkdirSync(join(directory, "code"))
mkdirSync(join(directory, "workers"))
writeFileSync(join(directory, "code/index.mjs"), "export const handler = async (event) => event\n")

const invocation: Invocation = {
  requestId: "",
  functionName: "f0" as FunctionName,
  traceId: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
  invokedArn: "arn:aws:lambda:us-east-1:000000000000:function:f0",
  payload: new TextEncoder().encode(payload),
  clientContext: undefined,
  wantsLogTail: false
}

const engine = ProcessContainerRuntime.layer({
  stateDirectory: join(directory, "workers"),
  clientsDirectory: fileURLToPath(new URL("../dist/clients", import.meta.url))
}).pipe(
  Layer.provideMerge(LambdaRuntimeApi.layer({ ports: { first: 18_000, last: 18_999 } })),
  Layer.provideMerge(FileArtifactStore.layer(join(directory, "artifacts"))),
  Layer.provide(MemoryLogSink.layer())
)

const main = Effect.gen(function* () {
  const store = yield* ArtifactStore
  const runtime = yield* ContainerRuntime
  const api = yield* RuntimeApi
  const { image } = yield* store.put({ taskDirectory: join(directory, "code"), layerDirectories: [] })
  const worker = yield* runtime.ensure(
    {
      functionName: invocation.functionName,
      image,
      environment: {
        _HANDLER: "index.handler",
        AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "256"
      },
      specHash: "bench"
    },
    owner
  )
  yield* api.ready(worker.id)
  const stack = yield* Effect.acquireRelease(
    Effect.promise(() => DrivenStack.start(DrivenStack.template([1, 4]))),
    (stack) => Effect.promise(stack.stop)
  )
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  const byDoor = () => run(api.invoke(worker.id, { ...invocation, requestId: crypto.randomUUID() }))
  const byGateway = () => stack.invoke("f0", payload)
  const direct: Array<number> = []
  const through: Array<number> = []
  for (let round = -2; round < rounds; round++) {
    for (let call = 0; call < callsPerRound; call++) {
      const [door, gateway] = [
        yield* Effect.promise(() => timed(byDoor)),
        yield* Effect.promise(() => timed(byGateway))
      ]
      if (round >= 0) {
        direct.push(door)
        through.push(gateway)
      }
    }
  }
  const [floor, whole] = [
    figure("floor: the worker's door driven directly", direct),
    figure("through the Gateway, one call at a time", through)
  ]
  tell(floor)
  tell(whole)
  tellNumber(
    "added by the Gateway and one HTTP hop",
    `p50 ${(whole.p50 - floor.p50).toFixed(3)} ms, p99 ${(whole.p99 - floor.p99).toFixed(3)} ms`
  )

  // One worker is never given two calls at once, so its door is driven by one caller, the Gateway by eight who queue.
  const alone = yield* Effect.promise(() => flood(byDoor, 1, total))
  const ownBefore = process.cpuUsage()
  const alone2 = yield* Effect.promise(() => flood(byDoor, 1, total))
  const own = process.cpuUsage(ownBefore)
  const queued = yield* Effect.promise(() => flood(byGateway, 8, total))
  const before = cpuSeconds(stack.gatewayPid)
  const queued2 = yield* Effect.promise(() => flood(byGateway, 8, total))
  const gatewayMicros = ((cpuSeconds(stack.gatewayPid) - before) / total) * 1e6
  const doorMicros = (own.user + own.system) / total
  const [floorRate, rate] = [(alone + alone2) / 2, (queued + queued2) / 2]
  tellNumber("floor: one worker, its door driven directly", `${floorRate.toFixed(0)} calls/s`)
  tellNumber(
    "one worker, 8 callers at the Gateway",
    `${rate.toFixed(0)} calls/s, ${(rate / floorRate).toFixed(2)} of the floor`
  )
  tellNumber("floor: CPU of a process that drives the door", `${doorMicros.toFixed(1)} µs a call`)
  tellNumber(
    "CPU of the Gateway, its door included",
    `${gatewayMicros.toFixed(1)} µs a call, ${(gatewayMicros - doorMicros).toFixed(1)} µs its own`
  )
  const many = yield* Effect.promise(() => flood(() => stack.invoke("f1", payload), 8, total))
  tellNumber("four workers, 8 callers at the Gateway", `${many.toFixed(0)} calls/s`)
})

/** Calls a second with this many callers. */
const flood = async (call: () => Promise<unknown>, callers: number, total: number): Promise<number> => {
  let left = total
  const caller = async () => {
    while (left-- > 0) await call()
  }
  const ms = await timed(() => Promise.all(Array.from({ length: callers }, caller)))
  return total / (ms / 1000)
}

heading("warm call of a Node function, 1 KiB, process runtime, INVOKE_AUTH=none")
await Effect.runPromise(main.pipe(Effect.scoped, Effect.provide(engine)))
rmSync(directory, { recursive: true, force: true })
