/** What a foreign client gets from the Agent, call by call: what `proto/agent.proto` says. */
import { assert, describe, it } from "@effect/vitest"
import { status } from "@grpc/grpc-js"
import { Effect } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import { OwnerId } from "#domain/Worker"
import { OwnerLeases } from "#layers/grpc/OwnerLeases"
import { type MemoryFunction, MemoryWorkers } from "#layers/memory/MemoryWorkers"
import * as Foreign from "#test/support/ForeignAgentClient"
import { ofAWorker } from "#test/support/ForeignAgentClient"
import * as ForeignAgentCalls from "#test/support/ForeignAgentCalls"
import { invalid } from "#test/support/ForeignAgentCalls"
import { dataPort, type MemoryAgentOptions } from "#test/support/MemoryAgent"

const functions: Readonly<Record<string, MemoryFunction>> = { echo: { handler: (event) => event } }

const withAgent = (test: ForeignAgentCalls.Test, options: MemoryAgentOptions = {}) =>
  ForeignAgentCalls.using({ functions, ...options }, test)

/** What an engine says to everything once it has gone. */
const fails = () => Effect.fail(new RuntimeUnavailable({ detail: "the engine is gone" }))

const internal = (details: string) => ({ code: status.INTERNAL, details })
const denied = { code: status.PERMISSION_DENIED, details: "owner_id does not match container" }
const unknown = { code: status.NOT_FOUND, details: "container_id not found" }

describe("every call of a worker", () => {
  it.live("names the worker and then the owner, in this order", () =>
    withAgent(({ failure, refusal }) =>
      Effect.gen(function* () {
        for (const method of ofAWorker) {
          assert.deepStrictEqual(yield* refusal(method, {}), invalid("container_id is required"))
          assert.deepStrictEqual(yield* refusal(method, { container_id: "w" }), invalid("owner_id is required"))
          assert.deepStrictEqual(
            yield* refusal(method, { container_id: "w", owner_id: " \t" }),
            invalid("owner_id is required")
          )
          assert.deepStrictEqual(
            yield* refusal(method, { container_id: "w", owner_id: "o".repeat(257) }),
            invalid("owner_id must be at most 256 characters long")
          )
          assert.deepInclude(yield* failure(method, { container_id: "w" }), {
            _tag: "InvalidParameter",
            name: "owner_id"
          })
        }
      })
    )
  )

  it.live("is refused for a worker of another, and for one that nobody has, but what is gone may be destroyed", () =>
    withAgent(({ call, failure, refusal, start }) =>
      Effect.gen(function* () {
        const id = yield* start("echo")
        for (const method of ofAWorker) {
          assert.deepStrictEqual(yield* refusal(method, { container_id: id, owner_id: "theirs" }), denied)
          assert.deepInclude(yield* failure(method, { container_id: id, owner_id: "theirs" }), {
            _tag: "NotOwner",
            containerId: id
          })
          if (method === "DestroyContainer") continue
          assert.deepStrictEqual(yield* refusal(method, { container_id: "nobody", owner_id: "mine" }), unknown)
        }
        const gone = { container_id: "nobody", owner_id: "mine" }
        assert.deepStrictEqual(yield* call("DestroyContainer", gone), { success: true })
        const { containers } = yield* call("ListContainers", { owner_id: "mine" })
        assert.strictEqual((containers as ReadonlyArray<unknown>).length, 1)
      })
    )
  )

  it.live("says so when the engine gives no list", () =>
    withAgent(
      ({ refusal }) =>
        Effect.gen(function* () {
          for (const method of ofAWorker) {
            assert.deepStrictEqual(
              yield* refusal(method, { container_id: "w", owner_id: "mine" }),
              internal("failed to refresh worker cache: the engine is gone")
            )
          }
        }),
      { engine: (memory) => ({ ...memory, list: fails }) }
    )
  )

  it.live("counts as a word of its owner", () =>
    withAgent(({ refusal }) =>
      Effect.gen(function* () {
        const leases = yield* OwnerLeases
        let heard: ReadonlyArray<OwnerId> = []
        const seen = leases.seen
        Object.assign(leases, {
          seen: (owner: OwnerId) => {
            heard = [...heard, owner]
            seen(owner)
          }
        })
        for (const method of ofAWorker.slice(1)) {
          yield* refusal(method, { container_id: "w", owner_id: ` ${method} ` })
        }
        assert.deepStrictEqual(
          heard,
          ofAWorker.slice(1).map((method) => OwnerId.make(method))
        )
      })
    )
  )

  it.live("forgets a worker that the engine has lost", () =>
    withAgent(({ call, refusal, start }) =>
      Effect.gen(function* () {
        const { workers } = yield* MemoryWorkers
        for (const method of ofAWorker.slice(1)) {
          const id = yield* start("echo")
          workers.clear()
          const request = { container_id: id, owner_id: "mine" }
          assert.deepStrictEqual(yield* refusal(method, request), unknown, method)
          assert.deepStrictEqual(yield* call("DestroyContainer", request), { success: true })
        }
      })
    )
  )
})

describe("DestroyContainer", () => {
  it.live("ends a worker for good", () =>
    withAgent(({ call, start }) =>
      Effect.gen(function* () {
        const request = { container_id: yield* start("echo"), owner_id: "mine" }
        assert.deepStrictEqual(yield* call("DestroyContainer", request), { success: true })
        assert.deepStrictEqual(yield* call("ListContainers", { owner_id: "mine" }), { containers: [] })
        assert.deepStrictEqual(yield* call("DestroyContainer", request), { success: true })
      })
    )
  )
})

describe("an engine that fails", () => {
  it.live("is told as what was not done", () =>
    withAgent(
      ({ refusal, start }) =>
        Effect.gen(function* () {
          const request = { container_id: yield* start("echo"), owner_id: "mine" }
          for (const [method, doing] of [
            ["DestroyContainer", "failed to destroy container"],
            ["PauseContainer", "failed to pause container"],
            ["ResumeContainer", "failed to resume container"],
            ["GetContainerMetrics", "failed to get container metrics"],
            ["InvokeWorker", "failed to invoke worker"],
            ["ListContainers", "failed to list containers"]
          ] as const) {
            assert.deepStrictEqual(yield* refusal(method, request), internal(`${doing}: the engine is gone`))
          }
        }),
      {
        engine: (memory) => ({
          ...memory,
          destroy: fails,
          suspend: fails,
          resume: fails,
          metrics: fails,
          touch: fails,
          list: fails
        })
      }
    )
  )
})

describe("PauseContainer and ResumeContainer", () => {
  it.live("stop a worker and let it run on, and are content with what is so already", () =>
    withAgent(({ call, start }) =>
      Effect.gen(function* () {
        const request = { container_id: yield* start("echo"), owner_id: "mine" }
        const { workers } = yield* MemoryWorkers
        const [held] = workers.values()
        for (const [method, now] of [
          ["PauseContainer", "PAUSED"],
          ["PauseContainer", "PAUSED"],
          ["ResumeContainer", "RUNNING"],
          ["ResumeContainer", "RUNNING"]
        ] as const) {
          assert.deepStrictEqual(yield* call(method, request), { success: true })
          assert.strictEqual(held?.status, now)
        }
      })
    )
  )

  it.live("refuse a worker that has ended", () =>
    withAgent(({ refusal, start }) =>
      Effect.gen(function* () {
        const id = yield* start("echo")
        const { kill, workers } = yield* MemoryWorkers
        for (const { worker } of workers.values()) yield* kill(worker.id)
        const request = { container_id: id, owner_id: "mine" }
        assert.deepStrictEqual(
          yield* refusal("PauseContainer", request),
          internal(`failed to pause container: ${id} is not running`)
        )
        assert.deepStrictEqual(
          yield* refusal("ResumeContainer", request),
          internal(`failed to resume container: ${id} is not running`)
        )
      })
    )
  )
})

describe("ListContainers", () => {
  it.live("wants an owner", () =>
    withAgent(({ refusal }) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* refusal("ListContainers", { owner_id: " " }), invalid("owner_id is required"))
      })
    )
  )

  it.live("tells everything of the workers of this owner, and nothing of others", () =>
    withAgent(({ call, start }) =>
      Effect.gen(function* () {
        const id = yield* start("echo")
        const now = Math.floor(Date.now() / 1_000)
        yield* call("EnsureContainer", { function_name: "echo", owner_id: "theirs", image: "i" })
        const { containers } = yield* call("ListContainers", { owner_id: "mine" })
        const [state, ...others] = containers as ReadonlyArray<Foreign.Message>
        const { created_at, last_used_at, spec_hash } = state ?? {}
        assert.deepStrictEqual(others, [])
        assert.deepStrictEqual(state, {
          container_id: id,
          function_name: "echo",
          status: "RUNNING",
          last_used_at,
          container_name: id,
          created_at,
          owner_id: "mine",
          spec_hash,
          ip_address: "127.0.0.1",
          port: dataPort,
          phase: "idle",
          protocol: "runtime-api"
        })
        assert.isAtMost(Math.abs(Number(created_at) - now), 2)
        assert.isAtMost(Math.abs(Number(last_used_at) - now), 2)
      })
    )
  )
})

describe("GetContainerMetrics", () => {
  it.live("measures a worker, and one that has ended", () =>
    withAgent(({ call, start }) =>
      Effect.gen(function* () {
        const id = yield* start("echo")
        const request = { container_id: id, owner_id: "mine" }
        const running = (yield* call("GetContainerMetrics", request))["metrics"] as Foreign.Message
        assert.deepStrictEqual(running, {
          container_id: id,
          function_name: "echo",
          container_name: id,
          state: "RUNNING",
          memory_current: 0,
          memory_max: 128 * 1_048_576,
          oom_events: 0,
          cpu_usage_ns: 0,
          exit_code: 0,
          restart_count: 0,
          exit_time: 0,
          collected_at: running["collected_at"]
        })
        assert.isAtMost(Math.abs(Number(running["collected_at"]) - Date.now() / 1_000), 2)
        const { kill, workers } = yield* MemoryWorkers
        for (const { worker } of workers.values()) {
          yield* kill(worker.id, { code: 7, signal: undefined, outOfMemory: false, extension: undefined })
        }
        const ended = (yield* call("GetContainerMetrics", request))["metrics"] as Foreign.Message
        assert.deepInclude(ended, { state: "STOPPED", exit_code: 7 })
        assert.isAbove(Number(ended["exit_time"]), 0)
      })
    )
  )
})
