/** Calls of workers through gRPC, by a foreign client: what `proto/agent.proto` says of InvokeWorker. */
import { assert, describe, it } from "@effect/vitest"
import { status } from "@grpc/grpc-js"
import { Effect, Option } from "effect"
import { CallTimedOut } from "#domain/Failure"
import * as Status from "#layers/grpc/Status"
import { type MemoryFunction, MemoryWorkers } from "#layers/memory/MemoryWorkers"
import type { Message } from "#test/support/ForeignAgentClient"
import * as ForeignAgentCalls from "#test/support/ForeignAgentCalls"
import { invalid } from "#test/support/ForeignAgentCalls"
import { type MemoryAgentOptions, ofEmulators } from "#test/support/MemoryAgent"

const answerBytes = 4_096

const functions: Readonly<Record<string, MemoryFunction>> = {
  echo: { handler: (event) => event },
  context: { handler: (_, { invocation }) => ({ ...invocation, payload: undefined }) },
  throws: {
    handler: () => {
      throw new TypeError("no such order")
    }
  },
  speaks: { handler: (_, context) => context.log("a word") },
  exits: { handler: (_, context) => context.exit(3) },
  hangs: { effect: () => Effect.never },
  large: { handler: () => "x".repeat(answerBytes) },
  broken: { init: () => Effect.fail(new Error("no table")), handler: () => null }
}

const withAgent = (test: ForeignAgentCalls.Test, options: MemoryAgentOptions = {}) =>
  ForeignAgentCalls.using({ functions, maxAnswerBytes: answerBytes, ...options }, test)

describe("InvokeWorker", () => {
  const body = (answer: Message): unknown => JSON.parse(Buffer.from(answer["body"] as Uint8Array).toString())

  it.live("calls a worker as soon as it is ready, again and again", () =>
    withAgent(({ call, start }) =>
      Effect.gen(function* () {
        const request = { container_id: yield* start("echo"), owner_id: "mine" }
        for (const n of [1, 2]) {
          const answer = yield* call("InvokeWorker", { ...request, payload: Buffer.from(`{"n":${n}}`) })
          assert.strictEqual(answer["status_code"], 200)
          assert.deepInclude(answer["headers"], { "content-type": "application/json" })
          assert.property(answer["headers"], "esb-duration-ms")
          assert.deepStrictEqual(body(answer), { n })
        }
      })
    )
  )

  it.live("hands on what the caller says of his call, whatever the case of its names", () =>
    withAgent(({ call, start }) =>
      Effect.gen(function* () {
        const answer = yield* call("InvokeWorker", {
          container_id: yield* start("context"),
          owner_id: "mine",
          payload: Buffer.from("{}"),
          path: "2015-03-31/functions/function/invocations",
          headers: {
            "X-Amzn-RequestId": "a1b2",
            "X-AMZN-TRACE-ID": "Root=1-5759e988-bd862e3fe1be46a994272793",
            "X-Amz-Client-Context": Buffer.from('{"custom":{"k":"v"}}').toString("base64"),
            "x-amz-log-type": "Tail",
            "esb-invoked-function-arn": "arn:aws:lambda:eu-west-1:000000000000:function:context:live",
            "": "skipped",
            "x-unknown": "skipped as well"
          }
        })
        assert.deepStrictEqual(body(answer), {
          requestId: "a1b2",
          traceId: "Root=1-5759e988-bd862e3fe1be46a994272793",
          clientContext: '{"custom":{"k":"v"}}',
          wantsLogTail: true,
          invokedArn: "arn:aws:lambda:eu-west-1:000000000000:function:context:live",
          functionName: "context"
        })
      })
    )
  )

  it.live("makes up what the caller does not say", () =>
    withAgent(({ call, start }) =>
      Effect.gen(function* () {
        const answer = body(
          yield* call("InvokeWorker", {
            container_id: yield* start("context"),
            owner_id: "mine",
            payload: Buffer.from("{}")
          })
        ) as Message
        assert.match(String(answer["requestId"]), /^[0-9a-f]{8}-[0-9a-f]{4}-4/)
        assert.deepInclude(answer, {
          traceId: "",
          wantsLogTail: false,
          invokedArn: "arn:aws:lambda:us-east-1:000000000000:function:context"
        })
      })
    )
  )

  it.live("tells an error of the function as an answer, and its log where it was asked for", () =>
    withAgent(({ call, start }) =>
      Effect.gen(function* () {
        const thrown = yield* call("InvokeWorker", {
          container_id: yield* start("throws"),
          owner_id: "mine",
          payload: Buffer.from("{}")
        })
        assert.strictEqual(thrown["status_code"], 200)
        assert.deepInclude(thrown["headers"], { "x-amz-function-error": "Unhandled", "esb-error-type": "TypeError" })
        assert.deepInclude(body(thrown), { errorType: "TypeError", errorMessage: "no such order" })
        const spoken = yield* call("InvokeWorker", {
          container_id: yield* start("speaks"),
          owner_id: "mine",
          payload: Buffer.from("{}"),
          headers: { "X-Amz-Log-Type": "Tail" }
        })
        const { "x-amz-log-result": log = "" } = spoken["headers"] as Record<string, string>
        assert.include(Buffer.from(log, "base64").toString(), "a word")
      })
    )
  )

  it.live("refuses what it cannot send", () =>
    withAgent(({ failure, refusal, start }) =>
      Effect.gen(function* () {
        const request = { container_id: yield* start("echo"), owner_id: "mine" }
        assert.deepStrictEqual(
          yield* refusal("InvokeWorker", { ...request, path: "/elsewhere" }),
          invalid("path must be /2015-03-31/functions/function/invocations, or empty")
        )
        assert.deepStrictEqual(
          yield* refusal("InvokeWorker", { ...request, headers: { "x-amzn-requestid": "a\r\nb" } }),
          invalid("headers must give as x-amzn-requestid 1 to 128 characters of A-Z, a-z, 0-9, - and _")
        )
        const tooMuch = { ...request, payload: Buffer.alloc(6_291_457) }
        assert.strictEqual((yield* refusal("InvokeWorker", tooMuch)).code, status.RESOURCE_EXHAUSTED)
        assert.deepInclude(yield* failure("InvokeWorker", tooMuch), { _tag: "PayloadTooLarge", limitBytes: 6_291_456 })
      })
    )
  )

  it.live("refuses a worker without an address", () =>
    withAgent(
      ({ refusal, start }) =>
        Effect.gen(function* () {
          const request = { container_id: yield* start("echo"), owner_id: "mine" }
          assert.deepStrictEqual(yield* refusal("InvokeWorker", request), {
            code: status.FAILED_PRECONDITION,
            details: "container ip_address is empty"
          })
        }),
      { engine: (memory) => ofEmulators(memory, "") }
    )
  )

  it.live("marks the worker as used before it calls it", () =>
    withAgent(({ call, start }) =>
      Effect.gen(function* () {
        const id = yield* start("hangs")
        const { workers } = yield* MemoryWorkers
        const [held] = workers.values()
        assert.isDefined(held)
        held.lastUsedAtUnixSeconds = 0
        held.phase = "dirty"
        yield* Effect.flip(call("InvokeWorker", { container_id: id, owner_id: "mine" }))
        assert.isAbove(held.lastUsedAtUnixSeconds, 0)
      })
    )
  )

  it.live("ends with the caller's limit, and does not trust the worker any more", () =>
    withAgent(({ call, failure, refusal, start }) =>
      Effect.gen(function* () {
        const request = { container_id: yield* start("hangs"), owner_id: "mine", payload: Buffer.from("{}") }
        const failed = yield* failure("InvokeWorker", { ...request, timeout_ms: 50 })
        assert.deepStrictEqual(failed, new CallTimedOut({ limitMs: 50 }))
        const { containers } = yield* call("ListContainers", { owner_id: "mine" })
        assert.deepInclude((containers as ReadonlyArray<Message>)[0], { phase: "dirty" })
        assert.deepStrictEqual(yield* refusal("InvokeWorker", request), {
          code: status.UNAVAILABLE,
          details: `Worker ${request.container_id} is unreachable: it is dirty`
        })
      })
    )
  )

  it.live("tells how a worker failed: not initialised, ended, or too slow", () =>
    withAgent(({ call, failure, refusal, start }) =>
      Effect.gen(function* () {
        const ofWorker = (id: string) => ({ container_id: id, owner_id: "mine", payload: Buffer.from("{}") })
        const broken = ofWorker(yield* start("broken"))
        assert.strictEqual((yield* refusal("InvokeWorker", broken)).code, status.ABORTED)
        assert.deepInclude(yield* failure("InvokeWorker", broken), { _tag: "InitFailed", errorType: "Error" })

        const exits = ofWorker(yield* start("exits"))
        assert.deepInclude(yield* failure("InvokeWorker", exits), {
          _tag: "WorkerExited",
          containerId: exits.container_id,
          errorType: "Runtime.ExitError"
        })
        const slow = yield* call("EnsureContainer", {
          function_name: "hangs",
          owner_id: "mine",
          image: "i",
          env: { AWS_LAMBDA_FUNCTION_TIMEOUT: "0.1" }
        })
        const told = yield* Effect.flip(call("InvokeWorker", ofWorker(String(slow["id"]))))
        assert.strictEqual(told.code, status.DEADLINE_EXCEEDED)
        assert.deepInclude(Option.getOrUndefined(Status.failureIn(told)), {
          _tag: "InvocationTimedOut",
          errorType: "Sandbox.Timedout"
        })
      })
    )
  )

  it.live("hands on no answer that is larger than it may be", () =>
    withAgent(({ failure, refusal, start }) =>
      Effect.gen(function* () {
        const request = { container_id: yield* start("large"), owner_id: "mine", payload: Buffer.from("{}") }
        assert.deepStrictEqual(yield* refusal("InvokeWorker", request), {
          code: status.RESOURCE_EXHAUSTED,
          details: `response body too large (limit ${answerBytes} bytes)`
        })
        assert.deepInclude(yield* failure("InvokeWorker", request), { _tag: "AnswerTooLarge", limitBytes: answerBytes })
      })
    )
  )
})
