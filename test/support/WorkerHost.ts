/**
 * A program that holds workers, to be killed by a test: `node WorkerHost.ts <state directory>` starts one whose function
 * has children, prints their pids as one line of JSON, and waits.
 */
import { Effect, Layer, Logger } from "effect"
import { randomUUID } from "node:crypto"
import { OwnerId } from "#domain/Worker"
import { ArtifactStore } from "#services/ArtifactStore"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as ProcessWorkers from "#test/support/ProcessWorkers"
import { pidOf } from "#test/support/WorkerFaults"
import { samples, specOf } from "#test/support/WorkerFunctions"

const stateDirectory = process.argv[2] ?? ""

const program = Effect.gen(function* () {
  const store = yield* ArtifactStore
  const runtime = yield* ContainerRuntime
  const client = yield* WorkerClient
  const { image } = yield* store.put({ taskDirectory: samples("node"), layerDirectories: [] })
  const worker = yield* runtime.ensure(specOf(image, "index.family"), OwnerId.make("host"))
  yield* client.ready(worker)
  const { payload } = yield* client.send(worker, {
    requestId: randomUUID(),
    functionName: worker.functionName,
    traceId: "",
    invokedArn: "arn:aws:lambda:us-east-1:000000000000:function:sample",
    payload: Buffer.from("{}"),
    clientContext: undefined,
    wantsLogTail: false
  })
  const children = JSON.parse(Buffer.from(payload).toString()) as object
  process.stdout.write(`${JSON.stringify({ ...children, leader: pidOf(stateDirectory, worker) })}\n`)
  return yield* Effect.never
}).pipe(
  Effect.scoped,
  // Standard output belongs to the line of JSON.
  Effect.provide(ProcessWorkers.layer({ stateDirectory }).pipe(Layer.orDie, Layer.provide(Logger.layer([]))))
)

Effect.runFork(program)
