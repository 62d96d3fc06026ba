import { Effect, Layer } from "effect"
import * as MemoryContainerRuntime from "#layers/memory/MemoryContainerRuntime"
import * as MemoryWorkerClient from "#layers/memory/MemoryWorkerClient"
import * as MemoryWorkers from "#layers/memory/MemoryWorkers"
import * as Certified from "#test/support/Certified"
import * as GrpcAgent from "#test/support/GrpcAgent"
import * as ProcessWorkers from "#test/support/ProcessWorkers"
import * as WorkerFaults from "#test/support/WorkerFaults"
import * as WorkerFunctions from "#test/support/WorkerFunctions"
import { suite } from "./ContainerRuntimeContract.ts"

const memoryWorkers = MemoryWorkers.layer(WorkerFunctions.memoryFunctions)
const memory = Layer.mergeAll(MemoryContainerRuntime.layer(), MemoryWorkerClient.layer).pipe(
  Layer.provide(memoryWorkers)
)
const aroundMemory = Layer.mergeAll(WorkerFaults.inMemory, WorkerFunctions.inMemory).pipe(Layer.provide(memoryWorkers))

const stateDirectory = ProcessWorkers.temporaryDirectory()
const processes = ProcessWorkers.layer({ stateDirectory })
const aroundProcesses = Layer.mergeAll(WorkerFaults.ofProcesses(stateDirectory), WorkerFunctions.inArtifacts).pipe(
  Layer.provide(processes)
)

suite("memory", Layer.merge(memory, aroundMemory), { measures: false })
suite("process", Layer.merge(processes, aroundProcesses), { measures: true })

const certified = Effect.runSync(Effect.cached(Certified.make))

for (const way of ["the data door", "InvokeWorker"] as const) {
  const over = (engine: typeof memory | typeof processes) =>
    Layer.unwrap(
      Effect.map(certified, ({ agent, gateway }) =>
        GrpcAgent.gateway(way, gateway.layer).pipe(Layer.provide(GrpcAgent.agent(engine, agent.layer)))
      )
    )
  const detaches = way === "the data door"
  suite(`gRPC over memory, called by ${way}`, Layer.merge(over(memory), aroundMemory), {
    measures: false,
    detaches,
    thaws: detaches
  })
  suite(`gRPC over process, called by ${way}`, Layer.merge(over(processes), aroundProcesses), {
    measures: true,
    detaches,
    thaws: detaches
  })
}
