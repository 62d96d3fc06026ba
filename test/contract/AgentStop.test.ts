/** How an Agent's server stops: what was begun ends, nothing new begins, and nothing is waited for without end. */
import { assert, it } from "@effect/vitest"
import { status } from "@grpc/grpc-js"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { AgentServer } from "#layers/grpc/server/AgentServer"
import type { MemoryFunction } from "#layers/memory/MemoryWorkers"
import { eventually } from "#test/support/Eventually"
import * as Foreign from "#test/support/ForeignAgentClient"
import { Agents } from "#test/support/ForeignAgentCalls"
import * as MemoryAgent from "#test/support/MemoryAgent"

const Healths = Foreign.clientClass(Foreign.servicesOf("grpc/health/v1/health.proto"), "grpc.health.v1.Health")

const event = Buffer.from("{}")

/** A function whose calls end when they are let go, and how many are in it. */
const gate = () => {
  const state = { open: false, inside: 0 }
  const waits: MemoryFunction = {
    effect: () =>
      Effect.gen(function* () {
        state.inside += 1
        while (!state.open) yield* Effect.sleep(5)
        return "let go"
      }).pipe(Effect.ensuring(Effect.sync(() => void (state.inside -= 1))))
  }
  return { state, waits }
}

/** An Agent with a call in flight, which stops as a program does: the fiber that runs it is interrupted. */
const busyAgent = Effect.fnUntraced(function* (drainMs: number) {
  const { state, waits } = gate()
  const { layer } = MemoryAgent.make({ functions: { waits }, drainMs })
  const answers = yield* Deferred.make<number>()
  const tell = Effect.flatMap(AgentServer, ({ port }) => Deferred.succeed(answers, port))
  const program = yield* Effect.forkScoped(Layer.launch(Layer.provide(Layer.effectDiscard(tell), layer)))
  const port = yield* Deferred.await(answers)
  const client = yield* Foreign.connect(Agents, port)
  const worker = yield* Foreign.call(client, "EnsureContainer", {
    function_name: "waits",
    owner_id: "mine",
    image: "i"
  })
  const request = { container_id: worker["id"], owner_id: "mine", payload: event }
  const inFlight = yield* Effect.forkChild(Effect.result(Foreign.call(client, "InvokeWorker", request)))
  yield* eventually(
    "the call arrives",
    Effect.sync(() => state.inside),
    (inside) => inside === 1
  )
  return { state, port, client, inFlight, stop: Fiber.interrupt(program) }
})

it.live("a call that was begun ends well, and none begins any more", () =>
  Effect.gen(function* () {
    const { client, inFlight, port, state, stop } = yield* busyAgent(10_000)
    const stopping = yield* Effect.forkChild(stop, { startImmediately: true })
    // The client learns by a GOAWAY that this connection takes no more calls, and finds nobody at the door.
    yield* eventually(
      "new calls are refused",
      Effect.flip(Foreign.call(client, "ListContainers", { owner_id: "mine" }, { deadline: Date.now() + 2_000 })).pipe(
        Effect.map(({ code }) => code),
        Effect.orElseSucceed(() => status.OK)
      ),
      (code) => code === status.UNAVAILABLE
    )
    const newcomer = yield* Foreign.connect(Agents, port)
    const { code } = yield* Effect.flip(Foreign.call(newcomer, "ListContainers", { owner_id: "mine" }))
    assert.strictEqual(code, status.UNAVAILABLE)
    assert.isUndefined(stopping.pollUnsafe())
    state.open = true
    const answer = yield* Fiber.join(inFlight)
    assert.isTrue(answer._tag === "Success")
    if (answer._tag === "Success") assert.strictEqual(answer.success["status_code"], 200)
    yield* Fiber.join(stopping)
  })
)

it.live("a call that goes on for too long is told so, and ends inside the Agent", () =>
  Effect.gen(function* () {
    const { inFlight, state, stop } = yield* busyAgent(200)
    const startedAt = performance.now()
    yield* stop
    assert.isBelow(performance.now() - startedAt, 2_000)
    assert.isAtLeast(performance.now() - startedAt, 200)
    const answer = yield* Fiber.join(inFlight)
    assert.isTrue(answer._tag === "Failure")
    if (answer._tag === "Failure") {
      assert.strictEqual(answer.failure.code, status.UNAVAILABLE)
      assert.include(answer.failure.details, "the server is stopping")
    }
    assert.strictEqual(state.inside, 0)
  })
)

it.live("an idle client does not hold the end up", () =>
  Effect.gen(function* () {
    const { inFlight, state, stop } = yield* busyAgent(10_000)
    state.open = true
    yield* Fiber.join(inFlight)
    const startedAt = performance.now()
    yield* stop
    assert.isBelow(performance.now() - startedAt, 1_000)
  })
)

it.live("who watches the health of the server hears of the end first", () =>
  Effect.gen(function* () {
    const { port, state, stop } = yield* busyAgent(10_000)
    const client = yield* Foreign.connect(Healths, port)
    const watch = yield* Foreign.stream(client, "Watch", { service: "esb.agent.v1.AgentService" })
    yield* eventually(
      "the watch begins",
      Effect.sync(() => watch.heard.length),
      (heard) => heard === 1
    )
    const stopping = yield* Effect.forkChild(stop, { startImmediately: true })
    const ended = yield* eventually(
      "the watch ends",
      Effect.sync(() => watch.ended),
      (code) => code !== undefined
    )
    assert.deepStrictEqual(watch.heard, [{ status: "SERVING" }, { status: "NOT_SERVING" }])
    assert.strictEqual(ended, status.OK)
    assert.isUndefined(stopping.pollUnsafe())
    state.open = true
    yield* Fiber.join(stopping)
  })
)
