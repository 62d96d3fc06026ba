import { Layer } from "effect"
import * as MemoryContainerRuntime from "#layers/memory/MemoryContainerRuntime"
import * as MemoryWorkerClient from "#layers/memory/MemoryWorkerClient"
import * as MemoryWorkers from "#layers/memory/MemoryWorkers"
import * as ProcessWorkers from "#test/support/ProcessWorkers"
import * as WorkerFaults from "#test/support/WorkerFaults"
import * as WorkerFunctions from "#test/support/WorkerFunctions"
import { suite } from "./ContainerRuntimeContract.ts"

const memory = Layer.mergeAll(
  MemoryContainerRuntime.layer(),
  MemoryWorkerClient.layer,
  WorkerFaults.inMemory,
  WorkerFunctions.inMemory
).pipe(Layer.provide(MemoryWorkers.layer(WorkerFunctions.memoryFunctions)))

suite("memory", memory, { measures: false })

const stateDirectory = ProcessWorkers.temporaryDirectory()

const processes = Layer.mergeAll(WorkerFaults.ofProcesses(stateDirectory), WorkerFunctions.inArtifacts).pipe(
  Layer.provideMerge(ProcessWorkers.layer({ stateDirectory }))
)

suite("process", processes, { measures: true })
