/** Doors that were there before: workers of an earlier run come back to them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Redacted, Scope } from "effect"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import { type FormerDoor, RuntimeApi } from "#services/RuntimeApi"
import { containerId, heard, invocation, spec, until } from "#test/support/OpenDoor"
import * as RawRuntime from "#test/support/RawRuntime"
import * as RecordedLog from "#test/support/RecordedLog"

const settings = { initLimitMs: 400, ports: { first: 19_300, last: 19_399 } }

/** A door that was opened and closed in an earlier run. */
const former = Effect.gen(function* () {
  const api = yield* RuntimeApi
  const { endpoint, token } = yield* api.open(spec)
  return { endpoint, token } satisfies FormerDoor
}).pipe(Effect.scoped)

const reopened = Effect.gen(function* () {
  const api = yield* RuntimeApi
  const before = yield* former
  const door = yield* api.open(spec, before)
  assert.strictEqual(door.endpoint, before.endpoint)
  door.admit("127.0.0.1")
  const runtime = RawRuntime.make(door.endpoint)
  yield* Effect.addFinalizer(() => Effect.sync(runtime.leave))
  return { api, door, runtime, token: Redacted.value(before.token) }
})

const inNewRun = (test: (log: RecordedLog.RecordedLog) => Effect.Effect<void, unknown, RuntimeApi | Scope.Scope>) => {
  const log = RecordedLog.make()
  return () =>
    test(log).pipe(Effect.scoped, Effect.provide(LambdaRuntimeApi.layer(settings).pipe(Layer.provide(log.layer))))
}

describe("a door that was there before", () => {
  it.live(
    "is where it was, and its worker is ready when it polls again, with the token it has",
    inNewRun(() =>
      Effect.gen(function* () {
        const { api, runtime, token } = yield* reopened
        assert.strictEqual(api.phase(containerId), "init")
        const stranger = yield* heard(runtime.next({ "esb-worker-token": "another" }))
        assert.strictEqual(stranger.status, 403)
        const polled = runtime.next({ "esb-worker-token": token })
        yield* api.ready(containerId)
        assert.strictEqual(api.phase(containerId), "idle")
        const call = invocation()
        const fiber = yield* Effect.forkScoped(api.invoke(containerId, call))
        yield* heard(polled)
        yield* heard(runtime.respond(call.requestId, "1"))
        // How long its start took was told in the run that saw it.
        assert.isUndefined((yield* Fiber.join(fiber)).report.initDurationMs)
      })
    )
  )

  it.live(
    "takes no answer to a call of the earlier run, and no new call before the worker has polled",
    inNewRun(() =>
      Effect.gen(function* () {
        const { api, runtime } = yield* reopened
        const fiber = yield* Effect.forkScoped(api.invoke(containerId, invocation()))
        const late = yield* heard(runtime.respond(invocation().requestId, "1"))
        assert.strictEqual(late.status, 400)
        assert.deepInclude(late.json() as object, { errorType: "InvalidRequestID" })
        assert.strictEqual(api.phase(containerId), "init")
        assert.isUndefined(fiber.pollUnsafe())
        const event = yield* heard(runtime.next())
        assert.strictEqual(event.status, 200)
      })
    )
  )

  it.live(
    "gives up a worker that does not poll in time, and writes nothing of a start into its log",
    inNewRun((log) =>
      Effect.gen(function* () {
        const { api } = yield* reopened
        const failure = yield* Effect.flip(api.ready(containerId))
        assert.strictEqual(failure._tag, "WorkerUnreachable")
        assert.include(failure.message, "it did not come back")
        assert.strictEqual(api.phase(containerId), "dirty")
        assert.deepStrictEqual(log.records, [])
      })
    )
  )

  it.live(
    "gives up a worker whose extension registered in the earlier run",
    inNewRun(() =>
      Effect.gen(function* () {
        const { api, runtime } = yield* reopened
        void runtime.next().catch(() => undefined)
        yield* api.ready(containerId)
        const refused = yield* heard(runtime.nextEvent("5759e988-bd86-4fe1-be46-a99427279300"))
        assert.strictEqual(refused.status, 403)
        yield* until(() => api.phase(containerId) === "dirty")
      })
    )
  )

  it.live(
    "is refused where its port is taken, or where no door can be",
    inNewRun(() =>
      Effect.gen(function* () {
        const api = yield* RuntimeApi
        const token = Redacted.make("t0ken")
        const scope = yield* Scope.make()
        const { endpoint } = yield* Scope.provide(api.open(spec), scope)
        for (const wrong of [
          endpoint,
          "127.0.0.1:19299",
          "127.0.0.1:19400",
          "127.0.0.2:19300",
          "127.0.0.1:",
          "nowhere"
        ]) {
          const failure = yield* Effect.flip(api.open(spec, { endpoint: wrong, token }))
          assert.strictEqual(failure._tag, "RuntimeUnavailable")
          assert.include(failure.message, wrong)
        }
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* api.open(spec, { endpoint, token })).endpoint, endpoint)
      })
    )
  )
})
