/** How a call of the Agent ends that does not end well: taken back, too late, too large, or met by a bug. */
import { assert, describe, it } from "@effect/vitest"
import { type CallOptions, status } from "@grpc/grpc-js"
import { Effect, Fiber, Option } from "effect"
import { InitFailed, RuntimeUnavailable } from "#domain/Failure"
import * as Status from "#layers/grpc/Status"
import { MemoryWorkers } from "#layers/memory/MemoryWorkers"
import { eventually } from "#test/support/Eventually"
import * as Foreign from "#test/support/ForeignAgentClient"
import * as ForeignAgentCalls from "#test/support/ForeignAgentCalls"
import * as Held from "#test/support/Held"
import { codesOf, type MemoryAgentOptions } from "#test/support/MemoryAgent"

const event = Buffer.from("{}")

const withAgent = (test: ForeignAgentCalls.Test, options: MemoryAgentOptions) => ForeignAgentCalls.using(options, test)

describe("a call that is taken back", () => {
  it.live("ends inside the Agent, too, and its worker is not trusted any more", () => {
    const { inside, waits } = Held.make()
    return withAgent(
      ({ client, lines, start }) =>
        Effect.gen(function* () {
          const request = { container_id: yield* start("waits"), owner_id: "mine", payload: event }
          const fiber = yield* Effect.forkChild(Foreign.call(client, "InvokeWorker", request))
          yield* eventually(
            "the call arrives",
            Effect.sync(() => inside.came),
            (came) => came === 1
          )
          assert.strictEqual(inside.left, 0)
          yield* Fiber.interrupt(fiber)
          yield* eventually(
            "the call ends",
            Effect.sync(() => inside.left),
            (left) => left === 1
          )
          const { workers } = yield* MemoryWorkers
          assert.deepStrictEqual(
            [...workers.values()].map(({ phase }) => phase),
            ["dirty"]
          )
          assert.deepStrictEqual(codesOf(lines, "InvokeWorker"), ["Canceled"])
        }),
      { functions: { waits } }
    )
  })

  it.live("at any moment leaves nothing running", () => {
    const { inside, waits } = Held.make()
    return withAgent(
      ({ call, client, lines, start }) =>
        Effect.gen(function* () {
          const rounds = Array.from({ length: 200 }, (_, round) => round)
          const takenBack = Effect.fnUntraced(function* (round: number) {
            const request = { container_id: yield* start("waits"), owner_id: "mine", payload: event }
            const fiber = yield* Effect.forkChild(Foreign.call(client, "InvokeWorker", request), {
              startImmediately: true
            })
            yield* Effect.sleep(round % 8)
            yield* Fiber.interrupt(fiber)
          })
          yield* Effect.forEach(rounds, takenBack, { concurrency: 16 })
          // The last to be sent on the connection is the last to arrive.
          yield* call("ListContainers", { owner_id: "mine" })
          yield* eventually(
            "nobody is inside",
            Effect.sync(() => inside.came - inside.left),
            (count) => count === 0
          )
          assert.isAbove(inside.came, 0)
          assert.notInclude(codesOf(lines, "InvokeWorker"), "Internal")
        }),
      { functions: { waits } }
    )
  })
})

describe("a start that is taken back", () => {
  it.live("is taken back from the engine", () => {
    const engine = { asked: 0, leftBehind: 0 }
    return withAgent(
      ({ client, lines }) =>
        Effect.gen(function* () {
          const start = { function_name: "slow", owner_id: "mine", image: "i" }
          const fiber = yield* Effect.forkChild(Foreign.call(client, "EnsureContainer", start))
          yield* eventually(
            "the engine is asked",
            Effect.sync(() => engine.asked),
            (asked) => asked === 1
          )
          yield* Fiber.interrupt(fiber)
          yield* eventually(
            "the engine stops",
            Effect.sync(() => engine.leftBehind),
            (left) => left === 0
          )
          assert.deepStrictEqual(codesOf(lines, "EnsureContainer"), ["Canceled"])
        }),
      {
        engine: (memory) => ({
          ...memory,
          ensure: () =>
            Effect.suspend(() => {
              engine.asked += 1
              engine.leftBehind += 1
              return Effect.never
            }).pipe(Effect.onInterrupt(() => Effect.sync(() => void (engine.leftBehind -= 1))))
        })
      }
    )
  })
})

describe("a call whose deadline passes", () => {
  it.live("ends on both sides", () => {
    const { inside, waits } = Held.make()
    return withAgent(
      ({ client, lines, start }) =>
        Effect.gen(function* () {
          const request = { container_id: yield* start("waits"), owner_id: "mine", payload: event }
          const options: CallOptions = { deadline: Date.now() + 150 }
          const { code } = yield* Effect.flip(Foreign.call(client, "InvokeWorker", request, options))
          assert.strictEqual(code, status.DEADLINE_EXCEEDED)
          yield* eventually(
            "the call ends",
            Effect.sync(() => inside.left),
            (left) => left === 1
          )
          // Whichever side's clock is first.
          const [recorded] = codesOf(lines, "InvokeWorker")
          assert.include(["DeadlineExceeded", "Canceled"], recorded)
        }),
      { functions: { waits } }
    )
  })

  it.live("ends by the Agent's own clock when the client forgets it", () => {
    const { inside, waits } = Held.make()
    return withAgent(
      ({ lines, port, start }) =>
        Effect.gen(function* () {
          const request = { container_id: yield* start("waits"), owner_id: "mine", payload: event }
          const { bytes, path } = Foreign.encoded(ForeignAgentCalls.Agents, "InvokeWorker", request)
          const { headers } = yield* Foreign.sendRaw(port, path, Foreign.framed(bytes), { "grpc-timeout": "100m" })
          assert.strictEqual(headers["grpc-status"], String(status.DEADLINE_EXCEEDED))
          yield* eventually(
            "the call ends",
            Effect.sync(() => inside.left),
            (left) => left === 1
          )
          assert.deepStrictEqual(codesOf(lines, "InvokeWorker"), ["DeadlineExceeded"])
        }),
      { functions: { waits } }
    )
  })
})

describe("a message", () => {
  it.live("that is too large is refused before it is read, and the server goes on", () =>
    withAgent(
      ({ call, lines, refusal, start }) =>
        Effect.gen(function* () {
          const request = { container_id: yield* start("echo"), owner_id: "mine" }
          const { code } = yield* refusal("InvokeWorker", { ...request, payload: Buffer.alloc(8 * 1_048_576) })
          assert.strictEqual(code, status.RESOURCE_EXHAUSTED)
          assert.deepStrictEqual(codesOf(lines, "InvokeWorker"), ["ResourceExhausted"])
          assert.strictEqual((yield* call("InvokeWorker", { ...request, payload: event }))["status_code"], 200)
        }),
      { functions: { echo: { handler: (value) => value } } }
    )
  )

  it.live("as large as an event may be is taken", () =>
    withAgent(
      ({ call, start }) =>
        Effect.gen(function* () {
          const request = { container_id: yield* start("measures"), owner_id: "mine" }
          const payload = Buffer.from(JSON.stringify("x".repeat(6_291_454)))
          const { body } = yield* call("InvokeWorker", { ...request, payload })
          assert.strictEqual(Buffer.from(body as Uint8Array).toString(), "6291454")
        }),
      { functions: { measures: { handler: (value) => String(value).length } } }
    )
  )
})

describe("a bug", () => {
  it.live("is told to the log, and to the client only that there is one", () =>
    withAgent(
      ({ client, lines, start }) =>
        Effect.gen(function* () {
          const request = { container_id: yield* start("echo"), owner_id: "mine" }
          const error = yield* Effect.flip(Foreign.call(client, "GetContainerMetrics", request))
          assert.strictEqual(error.code, status.INTERNAL)
          assert.strictEqual(error.details, "internal error")
          assert.isTrue(Option.isNone(Status.failureIn(error)))
          const told = lines.filter(({ level }) => level === "Error")
          assert.strictEqual(told.length, 1)
          assert.include(told[0]?.message, "GetContainerMetrics")
          assert.include(told[0]?.cause, "the key is 42")
          assert.deepStrictEqual(codesOf(lines, "GetContainerMetrics"), ["Internal"])
        }),
      {
        functions: { echo: { handler: (value) => value } },
        engine: (memory) => ({ ...memory, metrics: () => Effect.die(new Error("the key is 42")) })
      }
    )
  )
})

describe("a failure that is too long for a header", () => {
  const functionName = "verbose"
  const start = { function_name: functionName, owner_id: "mine", image: "i" }
  const failing = (failure: RuntimeUnavailable | InitFailed): MemoryAgentOptions => ({
    // An engine that fails in a way of another kind of call, which is no less a failure.
    engine: (memory) => ({ ...memory, ensure: () => Effect.fail(failure as RuntimeUnavailable) })
  })

  it.live("travels as its status alone, whatever is in its text", () =>
    withAgent(
      ({ client }) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(Foreign.call(client, "EnsureContainer", start))
          assert.strictEqual(error.code, status.INTERNAL)
          assert.strictEqual(error.details.length, 1_024)
          assert.match(error.details, /^failed to ensure container: /)
          assert.isTrue(error.details.isWellFormed())
          assert.isTrue(Option.isNone(Status.failureIn(error)))
        }),
      failing(new RuntimeUnavailable({ detail: "\ud83d漢".repeat(100_000) }))
    )
  )

  it.live("travels without what its function reported, where that is what makes it long", () => {
    const payload = Buffer.from(JSON.stringify({ errorType: "Error", errorMessage: "x".repeat(200_000) }))
    const about = { functionName, containerId: "w", requestId: "r", errorType: "Error", logTail: new Uint8Array(4_096) }
    return withAgent(
      ({ client }) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(Foreign.call(client, "EnsureContainer", start))
          assert.strictEqual(error.code, status.ABORTED)
          const failure = Option.getOrUndefined(Status.failureIn(error))
          assert.isDefined(failure)
          assert.deepInclude(failure, { _tag: "InitFailed", containerId: "w", errorType: "Error" })
          const told = JSON.parse(Buffer.from((failure as InitFailed).payload).toString())
          assert.deepStrictEqual(told, {
            errorType: "Error",
            errorMessage: "verbose failed to initialise: Error (its report is too long to be told)"
          })
        }),
      failing(new InitFailed({ ...about, payload }))
    )
  })
})
