/** A Gateway's certificate changes while it speaks to its Agent. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { FunctionName } from "#domain/FunctionName"
import type { Worker } from "#domain/Worker"
import * as AgentServer from "#layers/grpc/server/AgentServer"
import * as MemoryContainerRuntime from "#layers/memory/MemoryContainerRuntime"
import * as MemoryWorkerClient from "#layers/memory/MemoryWorkerClient"
import * as MemoryWorkers from "#layers/memory/MemoryWorkers"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as Certified from "#test/support/Certified"
import { eventually } from "#test/support/Eventually"
import * as GrpcAgent from "#test/support/GrpcAgent"
import { owner, plain, using } from "#test/support/GrpcClient"
import * as Wire from "#test/support/Wire"
import { specOf } from "#test/support/WorkerFunctions"

const spec = { ...specOf("artifact:sha256:" + "0".repeat(64), "slow"), functionName: FunctionName.make("slow") }

const invocation = (worker: Worker) => ({
  requestId: randomUUID(),
  functionName: worker.functionName,
  traceId: "",
  invokedArn: "arn:aws:lambda:us-east-1:000000000000:function:slow",
  payload: Buffer.from('{"n":1}'),
  clientContext: undefined,
  wantsLogTail: false
})

/** An Agent behind a wire whose one function answers when it is told to. */
const bench = Effect.gen(function* () {
  const certified = yield* Certified.make
  const released = yield* Deferred.make<void>()
  const engine = Layer.mergeAll(MemoryContainerRuntime.layer(), MemoryWorkerClient.layer).pipe(
    Layer.provide(MemoryWorkers.layer({ slow: { effect: (event) => Effect.as(Deferred.await(released), event) } }))
  )
  const served = yield* Layer.build(GrpcAgent.agent(engine, certified.agent.layer))
  const { port } = yield* Effect.provide(AgentServer.AgentServer, served)
  const wire = yield* Wire.make(port)
  return { certified, release: Deferred.succeed(released, undefined), wire }
})

it.live(
  "a new certificate drops no call: those in flight end where they began, new ones go over a new connection",
  () =>
    Effect.gen(function* () {
      const { certified, release, wire } = yield* bench
      yield* Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const client = yield* WorkerClient
        const worker = yield* runtime.ensure(spec, owner)
        const call = yield* Effect.forkChild(client.send(worker, invocation(worker)))
        const busy = Effect.map(runtime.list(owner), ([state]) => state?.phase)
        yield* eventually("it is in the call", busy, (phase) => phase === "busy")
        let asked = 0
        const asking = Effect.forever(Effect.tap(runtime.list(owner), () => Effect.sync(() => (asked += 1))))
        const askers = yield* Effect.forkChild(
          Effect.all([asking, asking, asking, asking], { concurrency: "unbounded" })
        )
        for (let n = 1; n <= 5; n += 1) {
          const before = asked
          yield* certified.gateway.renew
          yield* eventually("a new connection", Effect.sync(wire.attempts), (count) => count === 1 + n)
          yield* eventually(
            "calls on it",
            Effect.sync(() => asked),
            (count) => count > before + 20
          )
        }
        // A failed call would have ended them.
        assert.isUndefined(askers.pollUnsafe())
        yield* Fiber.interrupt(askers)
        yield* eventually("the first and the last are open", Effect.sync(wire.connections), (count) => count === 2)
        yield* release
        assert.strictEqual(Buffer.from((yield* Fiber.join(call)).payload).toString(), '{"n":1}')
        yield* eventually("only the last is open", Effect.sync(wire.connections), (count) => count === 1)
      }).pipe(using([wire.address], { certificates: certified.gateway.layer }))
    })
)

it.live(
  "nothing is sent to a server that our authority has not certified, nor in the clear to one that wants TLS",
  () =>
    Effect.gen(function* () {
      const { wire } = yield* bench
      const stranger = yield* Certified.make
      const refused = [
        [stranger.gateway.layer, /cannot be reached: self-signed certificate in certificate chain$/],
        [plain, /cannot be reached: it closes the connection: one side wants TLS, or another certificate$/]
      ] as const
      for (const [certificates, reason] of refused) {
        const failure = yield* Effect.flatMap(ContainerRuntime, (runtime) =>
          Effect.flip(runtime.ensure(spec, owner))
        ).pipe(using([wire.address], { certificates }))
        assert.strictEqual(failure._tag, "RuntimeUnavailable")
        assert.match(failure.message, reason)
      }
    })
)
