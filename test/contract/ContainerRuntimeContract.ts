/** What every engine that starts workers promises. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, type Layer } from "effect"
import { randomUUID } from "node:crypto"
import type { Invocation } from "#domain/Invocation"
import { ContainerId, type ContainerState, OwnerId, type Protocol, type Worker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { WorkerFaults } from "#test/support/WorkerFaults"
import { WorkerFunctions } from "#test/support/WorkerFunctions"

/** What an engine may lack. */
export interface Capabilities {
  /** It tells how much memory and time a worker uses. */
  readonly measures: boolean
  /** How its workers are spoken to. */
  readonly protocol?: Protocol
  /**
   * It sees what its workers do in a call. One whose workers are called without it tells no phase but of those that ended, no
   * use but what it is told itself, and not why a worker ended; and who calls them learns of an end from the next call.
   */
  readonly seesCalls?: boolean
  /** A call whose caller leaves runs to its end, and its worker takes others. Otherwise the worker is spoilt. */
  readonly detaches?: boolean
  /** A call of its frozen workers thaws them. */
  readonly thaws?: boolean
  /** It runs code from artifacts. One that runs images only refuses them by name. */
  readonly artifacts?: boolean
}

const mine = OwnerId.make("gateway-mine")
const theirs = OwnerId.make("gateway-theirs")
const nobodyIsGone = (): boolean => false
const nobody = ContainerId.make("esb-test-nobody-00000000")

export const call = (worker: Worker, payload: unknown = { n: 1 }): Invocation => ({
  requestId: randomUUID(),
  functionName: worker.functionName,
  traceId: "Root=1-5759e988-bd862e3fe1be46a994272793",
  invokedArn: `arn:aws:lambda:us-east-1:000000000000:function:${worker.functionName}`,
  payload: Buffer.from(JSON.stringify(payload)),
  clientContext: undefined,
  wantsLogTail: false
})

const stateOf = Effect.fnUntraced(function* (worker: Worker) {
  const runtime = yield* ContainerRuntime
  return (yield* runtime.list(worker.owner)).find(({ id }) => id === worker.id)
})

/** Waits for what the engine will notice in a moment. */
const until = Effect.fnUntraced(function* (worker: Worker, holds: (state: ContainerState | undefined) => boolean) {
  for (let waited = 0; waited < 5_000; waited += 10) {
    if (holds(yield* stateOf(worker))) return
    yield* Effect.sleep(10)
  }
  assert.fail(`${worker.name} never came into the state that was waited for`)
})

/** A worker of ours that is ready, and gone at the end of the test. */
const ready = Effect.fnUntraced(function* () {
  const runtime = yield* ContainerRuntime
  const client = yield* WorkerClient
  const { spec } = yield* WorkerFunctions
  const worker = yield* Effect.acquireRelease(runtime.ensure(spec("echo"), mine), (worker) =>
    Effect.orDie(runtime.destroy(worker.id, mine))
  )
  yield* client.ready(worker)
  // A client that cannot see it leaves the wait to the first call.
  yield* until(worker, (state) => state?.phase === "idle")
  return { runtime, client, worker, spec }
})

export const suite = (
  name: string,
  layer: Layer.Layer<ContainerRuntime | WorkerClient | WorkerFaults | WorkerFunctions, unknown>,
  {
    artifacts = true,
    detaches = false,
    measures,
    protocol = "runtime-api",
    seesCalls = true,
    thaws = false
  }: Capabilities
) => {
  /** Waits until the worker has the call that was just sent. */
  const busy = (worker: Worker) => (seesCalls ? until(worker, (state) => state?.phase === "busy") : Effect.sleep(500))

  it.layer(layer, { timeout: "30 seconds", excludeTestServices: true })(`ContainerRuntime (${name})`, (it) => {
    it.effect("starts a new worker every time, named after the stack and the function", () =>
      Effect.gen(function* () {
        const { runtime, spec, worker } = yield* ready()
        const other = yield* runtime.ensure(spec("echo"), mine)
        assert.notStrictEqual(other.id, worker.id)
        assert.match(worker.name, new RegExp(`^esb-test(-[0-9a-f]{8})?-${worker.functionName}-[0-9a-f]{8}$`))
        assert.deepInclude(worker, { owner: mine, specHash: spec("echo").specHash, protocol })
        assert.isAtMost(Math.abs(worker.createdAtUnixSeconds - Date.now() / 1_000), 5)
        yield* runtime.destroy(other.id, mine)
      })
    )

    it.effect("starts workers that answer", () =>
      Effect.gen(function* () {
        const { client, worker } = yield* ready()
        for (const n of [1, 2, 3]) {
          const result = yield* client.send(worker, call(worker, { n }))
          assert.deepInclude(result, { errorType: undefined, contentType: "application/json" })
          assert.strictEqual(Buffer.from(result.payload).toString(), `{"n":${n}}`)
        }
        assert.isTrue(client.isAlive(worker))
      })
    )

    const anArtifact = artifacts ? "refuses an artifact that is not there" : "refuses an artifact by name"
    it.effect(anArtifact, () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const { spec } = yield* WorkerFunctions
        const gone = { ...spec("echo"), functionName: "gone", image: `artifact:sha256:${"f".repeat(64)}` }
        const failure = yield* Effect.flip(runtime.ensure(gone as ReturnType<typeof spec>, mine))
        assert.strictEqual(failure._tag, artifacts ? "ArtifactNotFound" : "RuntimeUnsupported")
        assert.include(failure.message, gone.image)
      })
    )

    it.effect("refuses a setting that is no number, and names the variable", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const { spec } = yield* WorkerFunctions
        const bad = spec("echo", { environment: { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "lots" } })
        const failure = yield* Effect.flip(runtime.ensure(bad, mine))
        assert.strictEqual(failure._tag, "RuntimeUnavailable")
        assert.match(failure.message, /AWS_LAMBDA_FUNCTION_MEMORY_SIZE/)
        assert.deepStrictEqual(yield* runtime.list(mine), [])
      })
    )

    it.effect("starts twenty workers at once, and ends them at once", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const client = yield* WorkerClient
        const { spec } = yield* WorkerFunctions
        const many = Array.from({ length: 20 }, () => runtime.ensure(spec("echo"), mine))
        const workers = yield* Effect.all(many, { concurrency: "unbounded" })
        yield* Effect.forEach(workers, (worker) => client.ready(worker), { concurrency: "unbounded" })
        const answers = yield* Effect.forEach(workers, (worker) => client.send(worker, call(worker)), {
          concurrency: "unbounded"
        })
        assert.strictEqual(answers.filter(({ errorType }) => errorType === undefined).length, 20)
        assert.strictEqual(new Set((yield* runtime.list(mine)).map(({ id }) => id)).size, 20)
        yield* Effect.forEach(workers, ({ id }) => runtime.destroy(id, mine), { concurrency: "unbounded" })
        assert.deepStrictEqual(yield* runtime.list(mine), [])
      })
    )

    it.effect("leaves nothing behind when a start is interrupted", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const { spec } = yield* WorkerFunctions
        for (const afterMs of [0, 1, 2, 4, 8]) {
          const fiber = yield* Effect.forkChild(runtime.ensure(spec("echo"), mine))
          yield* Effect.sleep(afterMs)
          yield* Fiber.interrupt(fiber)
          const exit = yield* Fiber.await(fiber)
          // It was done before it could be interrupted.
          if (Exit.isSuccess(exit)) yield* runtime.destroy(exit.value.id, mine)
        }
        assert.deepStrictEqual(yield* runtime.list(mine), [])
      })
    )

    it.effect("destroys for good: the worker is gone, and gone is gone", () =>
      Effect.gen(function* () {
        const { client, runtime, worker } = yield* ready()
        yield* runtime.destroy(worker.id, mine)
        assert.isUndefined(yield* stateOf(worker))
        assert.strictEqual(client.isAlive(worker), !seesCalls)
        assert.strictEqual((yield* Effect.flip(client.send(worker, call(worker))))._tag, "WorkerUnreachable")
        assert.isFalse(client.isAlive(worker))
        yield* runtime.destroy(worker.id, mine)
        yield* runtime.destroy(nobody, mine)
      })
    )

    it.effect("destroys twice at once as well", () =>
      Effect.gen(function* () {
        const { runtime, worker } = yield* ready()
        yield* Effect.all([runtime.destroy(worker.id, mine), runtime.destroy(worker.id, mine)], {
          concurrency: "unbounded"
        })
        assert.isUndefined(yield* stateOf(worker))
      })
    )

    it.effect("ends the call that is in flight with the worker", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const client = yield* WorkerClient
        const { spec } = yield* WorkerFunctions
        const worker = yield* runtime.ensure(spec("hang"), mine)
        yield* client.ready(worker)
        const fiber = yield* Effect.forkChild(Effect.flip(client.send(worker, call(worker))))
        yield* busy(worker)
        yield* runtime.destroy(worker.id, mine)
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "WorkerExited")
      })
    )

    it.effect("refuses every touch of a worker that belongs to another, and changes nothing", () =>
      Effect.gen(function* () {
        const { client, runtime, worker } = yield* ready()
        const attempts = [
          runtime.destroy(worker.id, theirs),
          runtime.suspend(worker.id, theirs),
          runtime.resume(worker.id, theirs),
          runtime.metrics(worker.id, theirs),
          runtime.touch(worker.id, theirs)
        ]
        const failures = yield* Effect.forEach(attempts, (attempt) => Effect.flip(Effect.asVoid(attempt)))
        assert.deepStrictEqual(
          failures.map(({ _tag }) => _tag),
          attempts.map(() => "NotOwner")
        )
        assert.deepStrictEqual(yield* runtime.list(theirs), [])
        assert.deepInclude(yield* stateOf(worker), { status: "RUNNING", phase: "idle" })
        assert.isUndefined((yield* client.send(worker, call(worker))).errorType)
      })
    )

    it.effect("does not know a worker that never was", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const attempts = [
          runtime.suspend(nobody, mine),
          runtime.resume(nobody, mine),
          runtime.metrics(nobody, mine),
          runtime.touch(nobody, mine)
        ]
        const failures = yield* Effect.forEach(attempts, (attempt) => Effect.flip(Effect.asVoid(attempt)))
        assert.deepStrictEqual(
          failures.map(({ _tag }) => _tag),
          attempts.map(() => "ContainerNotFound")
        )
      })
    )

    it.effect("suspends and resumes, each of them twice when asked twice", () =>
      Effect.gen(function* () {
        const { client, runtime, worker } = yield* ready()
        yield* runtime.suspend(worker.id, mine)
        yield* runtime.suspend(worker.id, mine)
        assert.deepInclude(yield* stateOf(worker), { status: "PAUSED", phase: "idle" })
        const fiber = yield* Effect.forkChild(client.send(worker, call(worker, { frozen: true })))
        yield* Effect.sleep(50)
        assert.isUndefined(fiber.pollUnsafe())
        yield* runtime.resume(worker.id, mine)
        yield* runtime.resume(worker.id, mine)
        assert.strictEqual(Buffer.from((yield* Fiber.join(fiber)).payload).toString(), '{"frozen":true}')
        assert.deepInclude(yield* stateOf(worker), { status: "RUNNING" })
      })
    )

    const byItsCall = thaws ? "thaws a suspended worker for its call" : "leaves it to others to thaw a suspended worker"
    it.effect(byItsCall, () =>
      Effect.gen(function* () {
        const { client, runtime, worker } = yield* ready()
        assert.strictEqual(client.thaws(worker), thaws)
        for (const n of thaws ? [1, 2] : []) {
          yield* runtime.suspend(worker.id, mine)
          assert.deepInclude(yield* stateOf(worker), { status: "PAUSED", phase: "idle" })
          const result = yield* client.send({ ...worker, isFrozen: true }, call(worker, { n }))
          assert.strictEqual(Buffer.from(result.payload).toString(), `{"n":${n}}`)
          yield* until(worker, (state) => state?.status === "RUNNING" && state.phase === "idle")
        }
      })
    )

    it.effect("destroys a worker that is suspended", () =>
      Effect.gen(function* () {
        const { runtime, worker } = yield* ready()
        yield* runtime.suspend(worker.id, mine)
        yield* runtime.destroy(worker.id, mine)
        assert.isUndefined(yield* stateOf(worker))
      })
    )

    it.effect("remembers when a worker was last touched", () =>
      Effect.gen(function* () {
        const { runtime, worker } = yield* ready()
        yield* Effect.sleep(1_100)
        yield* runtime.touch(worker.id, mine)
        const state = yield* stateOf(worker)
        assert.isAbove(state?.lastUsedAtUnixSeconds ?? 0, worker.createdAtUnixSeconds)
      })
    )

    it.effect("counts a call as use", () =>
      Effect.gen(function* () {
        const { worker } = yield* ready()
        const client = yield* WorkerClient
        yield* Effect.sleep(1_100)
        yield* client.send(worker, call(worker))
        const state = yield* stateOf(worker)
        assert.strictEqual((state?.lastUsedAtUnixSeconds ?? 0) > worker.createdAtUnixSeconds, seesCalls)
      })
    )

    it.effect("measures a worker", () =>
      Effect.gen(function* () {
        const { runtime, worker } = yield* ready()
        const metrics = yield* runtime.metrics(worker.id, mine)
        assert.deepInclude(metrics, {
          containerId: worker.id,
          containerName: worker.name,
          functionName: worker.functionName,
          status: "RUNNING",
          memoryLimitBytes: 256 * 1_048_576,
          oomEvents: 0,
          exitCode: 0,
          exitedAtUnixSeconds: 0
        })
        assert.isAtMost(Math.abs(metrics.collectedAtUnixSeconds - Date.now() / 1_000), 5)
        assert.strictEqual(metrics.memoryBytes > 1_048_576, measures)
        assert.strictEqual(metrics.cpuNanoseconds > 0, measures)
      })
    )

    it.effect("lists a worker that ended by itself as stopped, until it is destroyed or collected", () =>
      Effect.gen(function* () {
        const { client, runtime, worker } = yield* ready()
        yield* (yield* WorkerFaults).kill(worker)
        yield* until(worker, (state) => state?.status === "STOPPED")
        assert.deepInclude(yield* stateOf(worker), { phase: "dirty" })
        assert.strictEqual(client.isAlive(worker), !seesCalls)
        assert.strictEqual((yield* Effect.flip(client.send(worker, call(worker))))._tag, "WorkerUnreachable")
        assert.isFalse(client.isAlive(worker))
        assert.strictEqual((yield* Effect.flip(runtime.suspend(worker.id, mine)))._tag, "RuntimeUnavailable")
        const metrics = yield* runtime.metrics(worker.id, mine)
        assert.deepInclude(metrics, { status: "STOPPED", memoryBytes: 0 })
        assert.isAbove(metrics.exitedAtUnixSeconds, 0)
        assert.strictEqual(yield* runtime.gc(nobodyIsGone), 1)
        assert.isUndefined(yield* stateOf(worker))
        assert.strictEqual(yield* runtime.gc(nobodyIsGone), 0)
      })
    )

    it.effect("ends a call whose worker is killed", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const client = yield* WorkerClient
        const { spec } = yield* WorkerFunctions
        const worker = yield* runtime.ensure(spec("hang"), mine)
        yield* client.ready(worker)
        const invocation = call(worker)
        const fiber = yield* Effect.forkChild(Effect.flip(client.send(worker, invocation)))
        yield* busy(worker)
        yield* (yield* WorkerFaults).kill(worker)
        const failure = yield* Fiber.join(fiber)
        assert.strictEqual(failure._tag, "WorkerExited")
        assert.deepStrictEqual(JSON.parse(Buffer.from((failure as { payload: Uint8Array }).payload).toString()), {
          errorType: "Runtime.ExitError",
          errorMessage: `RequestId: ${invocation.requestId} Error: ${
            seesCalls ? "Runtime exited with error: signal: killed" : "Runtime exited without providing a reason"
          }`
        })
        yield* runtime.destroy(worker.id, mine)
      })
    )

    it.effect("ends a call at the function's timeout", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const client = yield* WorkerClient
        const { spec } = yield* WorkerFunctions
        const worker = yield* runtime.ensure(spec("hang", { timeoutMs: 300 }), mine)
        yield* client.ready(worker)
        assert.strictEqual((yield* Effect.flip(client.send(worker, call(worker))))._tag, "InvocationTimedOut")
        assert.isFalse(client.isAlive(worker))
        assert.deepInclude(yield* stateOf(worker), { phase: seesCalls ? "dirty" : "idle" })
        yield* runtime.destroy(worker.id, mine)
      })
    )

    const whenItsCallerLeaves = detaches
      ? "lets a call run on whose caller left, and trusts its worker"
      : "does not trust a worker whose caller left in the middle of a call"
    it.effect(whenItsCallerLeaves, () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const client = yield* WorkerClient
        const { spec } = yield* WorkerFunctions
        const worker = yield* runtime.ensure(spec("hang"), mine)
        yield* client.ready(worker)
        const fiber = yield* Effect.forkChild(client.send(worker, call(worker)))
        yield* busy(worker)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(client.isAlive(worker), detaches)
        if (detaches) assert.deepInclude(yield* stateOf(worker), { status: "RUNNING", phase: "busy" })
        yield* runtime.destroy(worker.id, mine)
      })
    )
  })
}
