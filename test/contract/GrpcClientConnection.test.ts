/** What a Gateway does when the way to its Agent, or the Agent itself, misbehaves. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { randomUUID } from "node:crypto"
import { Agents } from "#layers/grpc/client/Agents"
import { AgentWatch, refreshLimitMs } from "#layers/grpc/client/AgentWatch"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { eventually } from "#test/support/Eventually"
import * as ForeignAgent from "#test/support/ForeignAgent"
import { owner, spec, using, worker } from "#test/support/GrpcClient"
import * as Wire from "#test/support/Wire"

const { answer } = ForeignAgent
const { id } = worker

const invocation = () => ({
  requestId: randomUUID(),
  functionName: spec.functionName,
  traceId: "",
  invokedArn: "arn:aws:lambda:us-east-1:000000000000:function:orders",
  payload: Buffer.from("{}"),
  clientContext: undefined,
  wantsLogTail: false
})

const every = ["EnsureContainer", "DestroyContainer", "PauseContainer", "ResumeContainer", "ListContainers"] as const
const silent = Object.fromEntries(
  [...every, "GetContainerMetrics" as const, "InvokeWorker" as const].map((rpc) => [rpc, "silence" as const])
)
const healthy = { ListContainers: answer() }

/** What an effect took, in milliseconds. */
const timed = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const start = performance.now()
  const result = yield* effect
  return { result, tookMs: performance.now() - start }
})

it.live("every call has a deadline, and the Agent that never answers hears of its end", () =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make(silent)
    const deadlines = { ensure: 40, destroy: 50, pause: 60, resume: 70, list: 80, metrics: 90, invoke: 100 }
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const client = yield* WorkerClient
      const calls = {
        ensure: runtime.ensure(spec, owner),
        destroy: runtime.destroy(id, owner),
        pause: runtime.suspend(id, owner),
        resume: runtime.resume(id, owner),
        list: runtime.list(owner),
        metrics: runtime.metrics(id, owner)
      }
      for (const [name, call] of Object.entries(calls)) {
        const { result, tookMs } = yield* timed(Effect.flip(Effect.asVoid(call as Effect.Effect<unknown, Error>)))
        assert.include(result.message, `Agent ${agent.address} did not do it: Deadline exceeded`)
        assert.isAtLeast(tookMs, deadlines[name as keyof typeof calls] - 5)
        assert.isAtMost(tookMs, 2_000)
      }
      const { result } = yield* timed(Effect.flip(client.send(worker, invocation())))
      assert.strictEqual(result._tag, "InvocationTimedOut")
      yield* eventually(
        "each of them is cancelled",
        Effect.sync(() => new Set(agent.cancelled).size),
        (count) => count === 7
      )
    }).pipe(using([agent.address], { deadlines }))
  })
)

it.live("an interrupted call is cancelled on the other side", () =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make({ ...silent, ListContainers: answer() })
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const client = yield* WorkerClient
      const calls = {
        EnsureContainer: runtime.ensure(spec, owner),
        GetContainerMetrics: runtime.metrics(id, owner),
        InvokeWorker: client.send(worker, invocation())
      }
      for (const [rpc, call] of Object.entries(calls)) {
        const fiber = yield* Effect.forkChild(call as Effect.Effect<unknown, unknown>)
        yield* eventually(
          "it has arrived",
          Effect.sync(() => agent.calls.map(({ rpc }) => String(rpc))),
          (seen) => seen.includes(rpc)
        )
        yield* Fiber.interrupt(fiber)
        yield* eventually(
          "it is cancelled",
          Effect.sync(() => agent.cancelled.map(String)),
          (seen) => seen.includes(rpc)
        )
      }
      assert.isFalse(client.isAlive(worker))
    }).pipe(using([agent.address]))
  })
)

it.live("a worker that is started for a caller who has left is destroyed", () =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make({ ...healthy, EnsureContainer: "late", DestroyContainer: answer() })
    const asked = Effect.sync(() => agent.calls.map(({ rpc }) => rpc).filter((rpc) => rpc !== "ListContainers"))
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const start = yield* Effect.forkChild(runtime.ensure(spec, owner))
      yield* eventually("it has arrived", asked, (seen) => seen.length === 1)
      const left = yield* Effect.forkChild(Fiber.interrupt(start), { startImmediately: true })
      agent.release({ id, ipAddress: "127.0.0.1", port: 50_052 })
      yield* Fiber.join(left)
      assert.deepStrictEqual(yield* asked, ["EnsureContainer", "DestroyContainer"])
      assert.deepInclude(agent.calls.at(-1)?.request, { containerId: id, ownerId: owner })
      assert.deepStrictEqual(agent.cancelled, [])
    }).pipe(using([agent.address]))
  })
)

it.live("an Agent that is not there is told at once, with the reason, and no call waits for it", () =>
  Effect.gen(function* () {
    const { address } = yield* Effect.scoped(ForeignAgent.make())
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const client = yield* WorkerClient
      for (let n = 0; n < 3; n += 1) {
        const { result, tookMs } = yield* timed(Effect.flip(runtime.ensure(spec, owner)))
        assert.strictEqual(
          result.message,
          `Failed to start container orders: Agent ${address} cannot be reached: connect ECONNREFUSED ${address}`
        )
        assert.isAtMost(tookMs, 500)
      }
      assert.strictEqual((yield* Effect.flip(client.send(worker, invocation())))._tag, "WorkerUnreachable")
      assert.strictEqual((yield* Effect.flip(runtime.destroy(id, owner)))._tag, "RuntimeUnavailable")
      assert.strictEqual((yield* Effect.flip(runtime.suspend(id, owner)))._tag, "RuntimeUnavailable")
    }).pipe(using([address]))
  })
)

it.live("a name that nobody resolves is told as such", () =>
  Effect.gen(function* () {
    const runtime = yield* ContainerRuntime
    const failure = yield* Effect.flip(runtime.list(owner))
    assert.match(failure.message, /^Agent agent\.invalid:50051 cannot be reached: Name resolution failed/)
  }).pipe(using(["agent.invalid:50051"]))
)

it.live("an Agent that was killed and is back gets calls again, without a new client", () =>
  Effect.gen(function* () {
    const { port } = yield* Effect.scoped(ForeignAgent.make())
    const address = `127.0.0.1:${port}`
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      for (let life = 0; life < 3; life += 1) {
        assert.strictEqual((yield* Effect.flip(runtime.list(owner)))._tag, "RuntimeUnavailable")
        yield* Effect.gen(function* () {
          yield* ForeignAgent.make(healthy, port)
          const { tookMs } = yield* timed(
            eventually("it answers", Effect.result(runtime.list(owner)), ({ _tag }) => _tag === "Success")
          )
          assert.isAtMost(tookMs, 1_000)
        }).pipe(Effect.scoped)
      }
    }).pipe(using([address]))
  })
)

it.live("attempts on an Agent that stays away become rare", () =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make(healthy)
    const wire = yield* Wire.make(agent.port)
    wire.cut()
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const end = performance.now() + 1_000
      while (performance.now() < end) yield* Effect.andThen(Effect.flip(runtime.list(owner)), Effect.sleep(1))
      // After 0, 100, 300 and 700 ms.
      assert.isAtLeast(wire.attempts(), 3)
      assert.isAtMost(wire.attempts(), 5)
    }).pipe(using([wire.address]))
  })
)

it.live("a call whose connection breaks behind the event is an honest error, and never sent again", () =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make({ ...healthy, InvokeWorker: "silence" })
    const wire = yield* Wire.make(agent.port)
    yield* Effect.gen(function* () {
      const client = yield* WorkerClient
      const call = yield* Effect.forkChild(Effect.flip(client.send(worker, invocation())))
      const invoked = Effect.sync(() => agent.calls.filter(({ rpc }) => rpc === "InvokeWorker").length)
      yield* eventually("it has arrived", invoked, (count) => count === 1)
      wire.cut()
      const failure = yield* Fiber.join(call)
      assert.deepInclude(failure, { _tag: "WorkerExited", errorType: "Sandbox.Failure" })
      wire.mend()
      const { list } = yield* ContainerRuntime
      yield* eventually("it answers", Effect.result(list(owner)), ({ _tag }) => _tag === "Success")
      assert.strictEqual(yield* invoked, 1)
    }).pipe(using([wire.address]))
  })
)

it.live("an Agent that accepts connections and says nothing holds nobody for longer than the limit", () =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make(healthy)
    const wire = yield* Wire.make(agent.port)
    wire.freeze()
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const many = Array.from({ length: 5 }, () => Effect.flip(runtime.ensure(spec, owner)))
      const { result, tookMs } = yield* timed(Effect.all(many, { concurrency: "unbounded" }))
      for (const failure of result) assert.match(failure.message, /cannot be reached: no answer within 200 ms$/)
      assert.isAtMost(tookMs, 1_000)
      // The attempt that was given up leaves no connection behind.
      yield* eventually("it is closed", Effect.sync(wire.connections), (open) => open === 0)
      wire.thaw()
      yield* eventually("it answers", Effect.result(runtime.list(owner)), ({ _tag }) => _tag === "Success")
    }).pipe(using([wire.address], { limits: { connectLimitMs: 200 } }))
  })
)

it.live("an attempt that is given up before there is a connection leaves none behind either", () =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make(healthy)
    const wire = yield* Wire.make(agent.port)
    wire.freeze()
    for (const connectLimitMs of [0, 1, 2, 3, 4, 5]) {
      const { message } = yield* Effect.gen(function* () {
        return yield* Effect.flip((yield* ContainerRuntime).list(owner))
      }).pipe(using([wire.address], { limits: { connectLimitMs } }))
      assert.match(message, new RegExp(`cannot be reached: no answer within ${connectLimitMs} ms$`))
    }
    assert.isAbove(wire.attempts(), 0)
    yield* eventually("they are closed", Effect.sync(wire.connections), (open) => open === 0)
  })
)

it.live("a client that goes while it connects leaves no connection behind", () =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make(healthy)
    const wire = yield* Wire.make(agent.port)
    wire.freeze()
    yield* Effect.gen(function* () {
      const { list } = yield* ContainerRuntime
      const call = yield* Effect.forkChild(list(owner))
      yield* eventually("it connects", Effect.sync(wire.connections), (open) => open === 1)
      yield* Fiber.interrupt(call)
    }).pipe(using([wire.address]))
    yield* eventually("it is closed", Effect.sync(wire.connections), (open) => open === 0)
  })
)

it.live("a connection that falls silent is noticed by its keep-alive, and calls on it end", () =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make({ ...healthy, EnsureContainer: "silence" })
    const wire = yield* Wire.make(agent.port)
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const { all } = yield* Agents
      yield* runtime.list(owner)
      const call = yield* Effect.forkChild(Effect.flip(runtime.ensure(spec, owner)))
      yield* eventually(
        "it has arrived",
        Effect.sync(() => agent.calls.length),
        (count) => count >= 3
      )
      wire.freeze()
      const { result, tookMs } = yield* timed(Fiber.join(call))
      assert.match(result.message, /did not do it: Connection dropped \(UNAVAILABLE\)$/)
      assert.isAtMost(tookMs, 1_500)
      assert.isFalse(all[0]?.isReachable())
      wire.thaw()
      yield* eventually("it answers", Effect.result(runtime.list(owner)), ({ _tag }) => _tag === "Success")
      assert.isTrue(all[0]?.isReachable())
    }).pipe(using([wire.address], { limits: { connectLimitMs: 300, keepAliveMs: 100, keepAliveLimitMs: 100 } }))
  })
)

it.live("a silent Agent's workers count as alive, and asking for them is over soon", () =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make({
      EnsureContainer: answer({ id, ipAddress: "127.0.0.1", port: 50_052 }),
      ListContainers: "silence"
    })
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const watch = yield* AgentWatch
      yield* runtime.ensure(spec, owner)
      const { tookMs } = yield* timed(watch.refresh(id))
      assert.isAtMost(tookMs, refreshLimitMs + 300)
      assert.isTrue(watch.isAlive(id))
    }).pipe(using([agent.address]))
  })
)
