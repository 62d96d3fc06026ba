import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Redacted } from "effect"
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { connect } from "node:net"
import type { InitFailed, InvocationTimedOut, WorkerExited, WorkerUnreachable } from "#domain/Failure"
import { type Invocation, limits } from "#domain/Invocation"
import { ContainerId } from "#domain/Worker"
import type { ExitStatus } from "#domain/WorkerExit"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import { RuntimeApi } from "#services/RuntimeApi"
import {
  type Bench,
  containerId,
  handed,
  heard,
  invocation,
  openDoor,
  spec,
  text,
  until,
  withDoor
} from "#test/support/OpenDoor"
import * as RawRuntime from "#test/support/RawRuntime"
import * as RecordedLog from "#test/support/RecordedLog"

const ended = (status: Partial<ExitStatus>): ExitStatus => ({
  code: undefined,
  signal: undefined,
  outOfMemory: false,
  extension: undefined,
  ...status
})

const json = (bytes: Uint8Array): unknown => JSON.parse(text(bytes))

describe("a call through the Runtime API", () => {
  it.live(
    "hands over the event with its headers in AWS's spelling, and brings the answer back",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const polled = runtime.next()
        yield* api.ready(containerId)
        assert.strictEqual(api.phase(containerId), "idle")
        const call = invocation({ clientContext: '{"custom":{"tenant":"zoë\\n"}}' })
        const fiber = yield* Effect.forkScoped(api.invoke(containerId, call))
        const event = yield* heard(polled)
        assert.strictEqual(api.phase(containerId), "busy")
        assert.strictEqual(text(event.body), '{"n":1}')
        assert.include(event.rawHeaders, "Lambda-Runtime-Aws-Request-Id")
        assert.include(event.rawHeaders, "Lambda-Runtime-Deadline-Ms")
        assert.deepInclude(event.headers, {
          "content-type": "application/json",
          "lambda-runtime-aws-request-id": call.requestId,
          "lambda-runtime-invoked-function-arn": call.invokedArn,
          "lambda-runtime-trace-id": call.traceId,
          "lambda-runtime-client-context": Buffer.from(call.clientContext ?? "").toString("latin1")
        })
        const remaining = Number(event.headers["lambda-runtime-deadline-ms"]) - Date.now()
        assert.isTrue(remaining > 4_000 && remaining <= 5_000, `${remaining} ms remain`)
        const receipt = yield* heard(runtime.respond(call.requestId, '{"ok":true}'))
        assert.deepInclude(receipt, { status: 202, body: Buffer.from('{"status":"OK"}\n') })
        const result = yield* Fiber.join(fiber)
        assert.deepInclude(result, { contentType: "application/json", errorType: undefined })
        assert.strictEqual(text(result.payload), '{"ok":true}')
        assert.isAbove(result.report.durationMs, 0)
        assert.isDefined(result.report.initDurationMs)
      })
    )
  )

  it.live(
    "makes the next call wait until the worker has polled again, and reports no init duration for it",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const first = invocation()
        const fiber = yield* handed({ api, runtime }, first)
        yield* heard(runtime.respond(first.requestId, "1"))
        yield* Fiber.join(fiber)
        assert.strictEqual(api.phase(containerId), "busy")
        const second = invocation()
        const waiting = yield* Effect.forkScoped(api.invoke(containerId, second))
        yield* Effect.sleep(20)
        const event = yield* heard(runtime.next())
        assert.strictEqual(event.headers["lambda-runtime-aws-request-id"], second.requestId)
        yield* heard(runtime.respond(second.requestId, "2"))
        assert.isUndefined((yield* Fiber.join(waiting)).report.initDurationMs)
      })
    )
  )

  it.live(
    "hands over every byte of an event as it is, small and large",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
        const events = [bytes, bytes.subarray(3, 200), Buffer.alloc(limits.requestBytes, bytes), new Uint8Array()]
        for (const payload of events) {
          const call = invocation({ payload })
          const polled = runtime.next()
          const fiber = yield* Effect.forkScoped(api.invoke(containerId, call))
          const { body } = yield* heard(polled)
          assert.strictEqual(body.compare(payload), 0)
          yield* heard(runtime.respond(call.requestId, body))
          assert.strictEqual(Buffer.compare((yield* Fiber.join(fiber)).payload, payload), 0)
        }
      })
    )
  )

  it.live(
    "replaces what HTTP forbids in a header instead of losing the call",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const polled = runtime.next()
        const call = invocation({ clientContext: "{\r\n\u0007}", traceId: "" })
        yield* Effect.forkScoped(api.invoke(containerId, call))
        const event = yield* heard(polled)
        assert.strictEqual(event.headers["lambda-runtime-client-context"], "{   }")
        assert.isUndefined(event.headers["lambda-runtime-trace-id"])
      })
    )
  )

  it.live(
    "tells an error of the function with its type, from the header or from the body",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const answers: ReadonlyArray<readonly [string, Record<string, string>, string]> = [
          ['{"errorType":"TypeError","errorMessage":"boom"}', {}, "TypeError"],
          ['{"errorMessage":"boom"}', { "lambda-runtime-function-error-type": "Function.Boom" }, "Function.Boom"],
          ["boom", {}, "Runtime.Unknown"]
        ]
        for (const [body, headers, errorType] of answers) {
          const call = invocation()
          const fiber = yield* handed({ api, runtime }, call)
          assert.strictEqual((yield* heard(runtime.fail(call.requestId, body, headers))).status, 202)
          const result = yield* Fiber.join(fiber)
          assert.deepStrictEqual([result.errorType, text(result.payload)], [errorType, body])
        }
      })
    )
  )

  it.live(
    "takes a streamed answer, and its error from the trailers",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const stream = (id: string, trailers: Record<string, string>) => {
          const request = runtime.beginResponse(id, {
            "lambda-runtime-function-response-mode": "streaming",
            "content-type": "text/html",
            "transfer-encoding": "chunked",
            trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"
          })
          request.write("<p>one</p>")
          request.addTrailers(trailers)
          request.end("<p>two</p>")
          return heard(runtime.heard(request))
        }
        const error = '{"errorType":"Midway","errorMessage":"half"}'
        const whole = invocation()
        const broken = invocation()
        const first = runtime.next()
        const wholeFiber = yield* Effect.forkScoped(api.invoke(containerId, whole))
        yield* heard(first)
        yield* stream(whole.requestId, {})
        const result = yield* Fiber.join(wholeFiber)
        assert.deepInclude(result, { contentType: "text/html", errorType: undefined })
        assert.strictEqual(text(result.payload), "<p>one</p><p>two</p>")
        const second = runtime.next()
        const brokenFiber = yield* Effect.forkScoped(api.invoke(containerId, broken))
        yield* heard(second)
        yield* stream(broken.requestId, {
          "Lambda-Runtime-Function-Error-Type": "Midway",
          "Lambda-Runtime-Function-Error-Body": Buffer.from(error).toString("base64")
        })
        const failed = yield* Fiber.join(brokenFiber)
        assert.deepInclude(failed, { contentType: "application/json", errorType: "Midway" })
        assert.strictEqual(text(failed.payload), error)
      })
    )
  )

  it.live(
    "refuses a response mode that does not exist, and tells the caller",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const call = invocation()
        const fiber = yield* handed({ api, runtime }, call)
        const mode = { "lambda-runtime-function-response-mode": "sideways" }
        const refusal = yield* heard(runtime.respond(call.requestId, "{}", mode))
        assert.strictEqual(refusal.status, 400)
        assert.deepInclude(refusal.json(), { errorType: "InvalidFunctionResponseMode" })
        assert.strictEqual((yield* Fiber.join(fiber)).errorType, "Runtime.InvalidResponseModeHeader")
      })
    )
  )

  it.live(
    "refuses an answer of one byte too many with AWS's words, and the worker goes on",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const call = invocation()
        const fiber = yield* handed({ api, runtime }, call)
        const refusal = yield* heard(runtime.respond(call.requestId, Buffer.alloc(limits.responseBytes + 1, 0x20)))
        assert.strictEqual(refusal.status, 413)
        assert.deepInclude(refusal.json(), { errorType: "RequestEntityTooLarge" })
        const result = yield* Fiber.join(fiber)
        assert.strictEqual(result.errorType, "Function.ResponseSizeTooLarge")
        assert.deepStrictEqual(json(result.payload), {
          errorMessage: "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
          errorType: "Function.ResponseSizeTooLarge"
        })
        const largest = invocation()
        const again = runtime.next()
        const next = yield* Effect.forkScoped(api.invoke(containerId, largest))
        yield* heard(again)
        yield* heard(runtime.respond(largest.requestId, Buffer.alloc(limits.responseBytes, 0x20)))
        assert.strictEqual((yield* Fiber.join(next)).payload.length, limits.responseBytes)
      })
    )
  )

  it.live(
    "is refused while another is open, and no byte of it is handed over",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const polled = runtime.next()
        const call = invocation()
        const fiber = yield* Effect.forkScoped(api.invoke(containerId, call))
        yield* heard(polled)
        const failure = yield* Effect.flip(api.invoke(containerId, invocation()))
        assert.strictEqual(failure._tag, "WorkerUnreachable")
        yield* heard(runtime.respond(call.requestId, "{}"))
        assert.isTrue(Exit.isSuccess(yield* Fiber.await(fiber)))
      })
    )
  )
})

describe("a worker that breaks the protocol", () => {
  const openCall = (bench: Bench, changed: Partial<Invocation> = {}) =>
    Effect.gen(function* () {
      const call = invocation(changed)
      const fiber = yield* handed(bench, call)
      return { call, failure: Effect.flip(Fiber.join(fiber)) }
    })

  /** An answer that its runtime does not bring to an end. */
  const begun = ({ runtime }: Bench, { requestId }: Invocation, headers: Record<string, string>, text: string) => {
    const request = runtime.beginResponse(requestId, headers)
    request.on("error", () => undefined)
    request.write(text)
    return request
  }

  const exited = (failure: InvocationTimedOut | WorkerExited | WorkerUnreachable | unknown): WorkerExited => {
    assert.deepInclude(failure, { _tag: "WorkerExited" })
    return failure as WorkerExited
  }

  it.live(
    "by answering another call is refused, and may still answer its own",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const call = invocation()
        const fiber = yield* handed({ api, runtime }, call)
        const refusal = yield* heard(runtime.respond(randomUUID(), "{}"))
        assert.strictEqual(refusal.status, 400)
        assert.deepStrictEqual(refusal.json(), { errorMessage: "Invalid request ID", errorType: "InvalidRequestID" })
        yield* heard(runtime.respond(call.requestId, "{}"))
        assert.isUndefined((yield* Fiber.join(fiber)).errorType)
      })
    )
  )

  it.live(
    "by answering twice is refused and spoilt, and its caller keeps the first answer",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const call = invocation()
        const fiber = yield* handed({ api, runtime }, call)
        yield* heard(runtime.respond(call.requestId, "1"))
        const refusal = yield* heard(runtime.respond(call.requestId, "2"))
        assert.strictEqual(refusal.status, 403)
        assert.deepInclude(refusal.json(), { errorType: "InvalidStateTransition" })
        assert.strictEqual(text((yield* Fiber.join(fiber)).payload), "1")
        assert.strictEqual(api.phase(containerId), "dirty")
      })
    )
  )

  it.live(
    "by polling in the middle of a call is refused and spoilt, and its caller is told",
    withDoor({}, (bench) =>
      Effect.gen(function* () {
        const { failure } = yield* openCall(bench)
        const refusal = yield* heard(bench.runtime.next())
        assert.strictEqual(refusal.status, 403)
        assert.deepInclude(refusal.json(), { errorType: "InvalidStateTransition" })
        assert.strictEqual(exited(yield* failure).errorType, "Runtime.Unknown")
        assert.strictEqual(bench.api.phase(containerId), "dirty")
      })
    )
  )

  it.live(
    "by closing its connection in the middle of an answer is spoilt, and its caller is told",
    withDoor({ settings: { faultGraceMs: 30 } }, (bench) =>
      Effect.gen(function* () {
        const { call, failure } = yield* openCall(bench)
        const request = begun(bench, call, { "content-length": "1000" }, "half of ")
        yield* until(() => request.socket?.bytesWritten !== undefined && request.socket.bytesWritten > 0)
        yield* Effect.sleep(10)
        request.destroy()
        assert.strictEqual(exited(yield* failure).errorType, "Runtime.TruncatedResponse")
        assert.strictEqual(bench.api.phase(containerId), "dirty")
      })
    )
  )

  it.live(
    "by ending in the middle of an answer is told as an exit, not as a cut answer",
    withDoor({}, (bench) =>
      Effect.gen(function* () {
        const { call, failure } = yield* openCall(bench)
        const request = begun(bench, call, { "content-length": "1000" }, "half of ")
        yield* Effect.sleep(20)
        request.destroy()
        yield* Effect.sleep(20)
        bench.door.exited(ended({ signal: "SIGKILL" }))
        assert.strictEqual(exited(yield* failure).errorType, "Runtime.ExitError")
      })
    )
  )

  it.live(
    "by never ending its answer loses the call to its deadline",
    withDoor({ spec: { timeoutMs: 100 } }, (bench) =>
      Effect.gen(function* () {
        const { call, failure } = yield* openCall(bench)
        begun(bench, call, { "transfer-encoding": "chunked" }, "for ever and ")
        assert.deepInclude(yield* failure, { _tag: "InvocationTimedOut" })
        assert.strictEqual(bench.api.phase(containerId), "dirty")
      })
    )
  )

  it.live(
    "by streaming past every limit loses its connection",
    withDoor({ settings: { answerLimitBytes: 1_000, drainLimitBytes: 1_000 } }, ({ api, runtime }) =>
      Effect.gen(function* () {
        const call = invocation()
        const fiber = yield* handed({ api, runtime }, call)
        const sent = runtime.respond(call.requestId, Buffer.alloc(1_000_000))
        const broken = yield* Effect.promise(() => sent.then(() => false).catch(() => true))
        assert.isTrue(broken)
        assert.strictEqual((yield* Fiber.join(fiber)).errorType, "Function.ResponseSizeTooLarge")
        assert.strictEqual(api.phase(containerId), "dirty")
      })
    )
  )

  it.live(
    "by not polling again in time is spoilt, and the call that waited may go elsewhere",
    withDoor({ settings: { settleLimitMs: 50 } }, ({ api, runtime }) =>
      Effect.gen(function* () {
        const first = invocation()
        const fiber = yield* handed({ api, runtime }, first)
        yield* heard(runtime.respond(first.requestId, "{}"))
        yield* Fiber.join(fiber)
        const failure = yield* Effect.flip(api.invoke(containerId, invocation()))
        assert.strictEqual(failure._tag, "WorkerUnreachable")
        assert.strictEqual(api.phase(containerId), "dirty")
      })
    )
  )

  it.live(
    "by talking nonsense gets the answers AWS's server gives",
    withDoor({}, ({ runtime }) =>
      Effect.gen(function* () {
        const statusOf = (method: string, path: string) =>
          Effect.map(heard(runtime.ask(method, path)), ({ status }) => status)
        assert.strictEqual(yield* statusOf("GET", "/"), 404)
        assert.strictEqual(yield* statusOf("GET", "/2018-06-01/runtime/restore/next"), 404)
        assert.strictEqual(yield* statusOf("POST", "/2018-06-01/runtime/invocation/next"), 405)
        assert.strictEqual(yield* statusOf("GET", `/2018-06-01/runtime/invocation/${randomUUID()}/response`), 405)
        assert.strictEqual(yield* statusOf("POST", `/2018-06-01/runtime/invocation/${randomUUID()}/response`), 400)
        const telemetry = yield* heard(runtime.ask("PUT", "/2022-07-01/telemetry", { body: "{}" }))
        assert.strictEqual(telemetry.status, 202)
        assert.deepInclude(telemetry.json(), { errorType: "Telemetry.NotSupported" })
      })
    )
  )
})

describe("the end of a worker", () => {
  it.live(
    "in the middle of a call is told to its caller in AWS's words",
    withDoor({}, ({ api, door, runtime }) =>
      Effect.gen(function* () {
        const call = invocation()
        const polled = runtime.next()
        const fiber = yield* Effect.forkScoped(Effect.flip(api.invoke(containerId, call)))
        yield* heard(polled)
        door.exited(ended({ code: 127 }))
        const failure = yield* Fiber.join(fiber)
        assert.strictEqual(failure._tag, "WorkerExited")
        assert.deepStrictEqual(json((failure as WorkerExited).payload), {
          errorType: "Runtime.ExitError",
          errorMessage: `RequestId: ${call.requestId} Error: Runtime exited with error: exit status 127`
        })
        assert.strictEqual(api.phase(containerId), "dirty")
      })
    )
  )

  it.live(
    "between calls makes the next one unreachable: no byte of it was handed over",
    withDoor({}, ({ api, door, runtime }) =>
      Effect.gen(function* () {
        runtime.next().catch(() => undefined)
        yield* api.ready(containerId)
        door.exited(ended({ signal: "SIGKILL" }))
        assert.strictEqual((yield* Effect.flip(api.invoke(containerId, invocation())))._tag, "WorkerUnreachable")
        assert.strictEqual((yield* Effect.flip(api.ready(containerId)))._tag, "WorkerUnreachable")
      })
    )
  )

  it.live(
    "by its door closing ends the call that is open, and forgets the worker",
    withDoor({}, () =>
      Effect.gen(function* () {
        const log = RecordedLog.make()
        const failure = yield* Effect.gen(function* () {
          const api = yield* RuntimeApi
          const fiber = yield* Effect.scoped(
            Effect.gen(function* () {
              const { runtime } = yield* openDoor()
              const polled = runtime.next()
              const fiber = yield* Effect.forkDetach(Effect.flip(api.invoke(containerId, invocation())))
              yield* heard(polled)
              return fiber
            })
          )
          assert.isUndefined(api.phase(containerId))
          return yield* Fiber.join(fiber)
        }).pipe(Effect.provide(LambdaRuntimeApi.layer().pipe(Layer.provide(log.layer))))
        assert.strictEqual(failure._tag, "WorkerExited")
      })
    )
  )

  it.live(
    "by a timeout is AWS's, and the worker is spoilt",
    withDoor({ spec: { timeoutMs: 1_000 } }, ({ api, log, runtime }) =>
      Effect.gen(function* () {
        const call = invocation({ wantsLogTail: true })
        const polled = runtime.next()
        const fiber = yield* Effect.forkScoped(Effect.flip(api.invoke(containerId, call)))
        yield* heard(polled)
        const failure = yield* Fiber.join(fiber)
        assert.strictEqual(failure._tag, "InvocationTimedOut")
        const { logTail, payload } = failure as InvocationTimedOut
        assert.deepStrictEqual(json(payload), {
          errorType: "Sandbox.Timedout",
          errorMessage: `RequestId: ${call.requestId} Error: Task timed out after 1.00 seconds`
        })
        assert.match(
          text(logTail),
          /Task timed out after 1\.00 seconds\nEND RequestId: .*\nREPORT .*\tStatus: timeout\t\n$/
        )
        assert.strictEqual(api.phase(containerId), "dirty")
        assert.isTrue(log.records.some(({ message }) => message.endsWith("Task timed out after 1.00 seconds")))
      })
    )
  )

  it.live(
    "is what an interrupted caller leaves behind, since the event cannot be taken back",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const call = invocation()
        const fiber = yield* handed({ api, runtime }, call)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(api.phase(containerId), "dirty")
        assert.strictEqual((yield* heard(runtime.respond(call.requestId, "{}"))).status, 202)
      })
    )
  )

  it.live(
    "is not what a caller leaves behind who stopped waiting before the event was handed over",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const waiting = yield* Effect.forkScoped(api.invoke(containerId, invocation()))
        yield* Effect.sleep(10)
        yield* Fiber.interrupt(waiting)
        const call = invocation()
        const polled = runtime.next()
        yield* Effect.forkScoped(api.invoke(containerId, call))
        assert.strictEqual((yield* heard(polled)).headers["lambda-runtime-aws-request-id"], call.requestId)
      })
    )
  )
})

describe("the start of a worker", () => {
  const failureOf = (api: RuntimeApi["Service"]) =>
    Effect.map(Effect.flip(api.ready(containerId)), (failure) => {
      assert.strictEqual(failure._tag, "InitFailed")
      return failure as InitFailed
    })

  it.live(
    "fails with what its runtime reports, word for word, and the log of the start",
    withDoor({}, ({ api, door, runtime }) =>
      Effect.gen(function* () {
        const body = '{"errorType":"Runtime.ImportModuleError","errorMessage":"no module app","stackTrace":[]}'
        const fiber = yield* Effect.forkScoped(failureOf(api))
        door.output(Buffer.from("Traceback: no module app\n"))
        assert.strictEqual((yield* heard(runtime.initError(body))).status, 202)
        const failure = yield* Fiber.join(fiber)
        assert.strictEqual(failure.errorType, "Runtime.ImportModuleError")
        assert.strictEqual(text(failure.payload), body)
        assert.match(
          text(failure.logTail),
          /^Traceback: no module app\nINIT_REPORT .*Error Type: Runtime.ImportModuleError\t\n$/
        )
        door.exited(ended({ code: 1 }))
        assert.deepStrictEqual(yield* failureOf(api), failure)
        assert.strictEqual(api.phase(containerId), "dirty")
        assert.strictEqual((yield* Effect.flip(api.invoke(containerId, invocation())))._tag, "WorkerUnreachable")
      })
    )
  )

  it.live(
    "fails with what its runtime reports, also for who asks while the report is still arriving",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const body = '{"errorType":"Runtime.ImportModuleError","errorMessage":"no module app"}'
        const headers = { "content-length": String(body.length), expect: "100-continue" }
        const report = runtime.begin("POST", "/2018-06-01/runtime/init/error", headers)
        report.flushHeaders()
        yield* Effect.promise(() => once(report, "continue"))
        assert.strictEqual(api.phase(containerId), "init")
        const fiber = yield* Effect.forkScoped(failureOf(api), { startImmediately: true })
        report.end(body)
        assert.strictEqual((yield* heard(runtime.heard(report))).status, 202)
        assert.strictEqual(text((yield* Fiber.join(fiber)).payload), body)
        assert.strictEqual(api.phase(containerId), "dirty")
      })
    )
  )

  it.live(
    "fails when its process ends without a word",
    withDoor({}, ({ api, door }) =>
      Effect.gen(function* () {
        door.exited(ended({ code: 0 }))
        const failure = yield* failureOf(api)
        assert.deepStrictEqual(json(failure.payload), {
          errorType: "Runtime.ExitError",
          errorMessage: `RequestId: ${failure.requestId} Error: Runtime exited without providing a reason`
        })
      })
    )
  )

  it.live(
    "fails when it takes longer than the init limit",
    withDoor({ settings: { initLimitMs: 60 } }, ({ api }) =>
      Effect.gen(function* () {
        const failure = yield* failureOf(api)
        assert.strictEqual(failure.errorType, "Sandbox.Timedout")
        assert.strictEqual(api.phase(containerId), "dirty")
      })
    )
  )

  it.live(
    "is waited for by everybody who asks, and by a call that comes too early",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const waiting = yield* Effect.forEach([1, 2, 3], () => Effect.forkScoped(api.ready(containerId)))
        const call = invocation()
        yield* Effect.forkScoped(api.invoke(containerId, call))
        assert.strictEqual(api.phase(containerId), "init")
        const event = yield* heard(runtime.next())
        assert.strictEqual(event.headers["lambda-runtime-aws-request-id"], call.requestId)
        yield* Effect.forEach(waiting, Fiber.join)
      })
    )
  )
})

describe("a worker's door", () => {
  it.live(
    "lets requests wait until its worker is admitted",
    withDoor({ admitted: false }, ({ api, door, runtime }) =>
      Effect.gen(function* () {
        const polled = runtime.next()
        yield* Effect.sleep(30)
        assert.strictEqual(api.phase(containerId), "init")
        door.admit("127.0.0.1")
        yield* api.ready(containerId)
        const call = invocation()
        yield* Effect.forkScoped(api.invoke(containerId, call))
        assert.strictEqual((yield* heard(polled)).headers["lambda-runtime-aws-request-id"], call.requestId)
      })
    )
  )

  it.live(
    "is closed to every other address, also to those that came first",
    withDoor({ admitted: false }, ({ door, runtime }) =>
      Effect.gen(function* () {
        const refused = (poll: Promise<RawRuntime.Heard>) =>
          Effect.promise(() => poll.then(() => false).catch(() => true))
        const early = runtime.next()
        const idle = connect(door.address.port, door.address.host)
        const idleClosed = new Promise<boolean>((resolve) =>
          idle.on("close", () => resolve(true)).on("error", () => undefined)
        )
        yield* Effect.sleep(30)
        door.admit("127.0.0.9")
        assert.isTrue(yield* refused(early))
        assert.isTrue(yield* Effect.promise(() => idleClosed))
        assert.isTrue(yield* refused(runtime.next()))
      })
    )
  )

  it.live(
    "refuses another worker's token, takes its own, and believes who has none",
    withDoor({}, ({ api, door, runtime }) =>
      Effect.gen(function* () {
        const refusal = yield* heard(runtime.next({ "esb-worker-token": "another" }))
        assert.strictEqual(refusal.status, 403)
        assert.strictEqual(api.phase(containerId), "init")
        runtime.next({ "esb-worker-token": Redacted.value(door.token) }).catch(() => undefined)
        yield* api.ready(containerId)
      })
    )
  )

  it.live(
    "keeps the newest of two polls",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const given = runtime
          .next()
          .then(() => "answered")
          .catch(() => "cut")
        yield* api.ready(containerId)
        const newest = runtime.next()
        assert.strictEqual(yield* Effect.promise(() => given), "cut")
        const call = invocation()
        yield* Effect.forkScoped(api.invoke(containerId, call))
        assert.strictEqual((yield* heard(newest)).headers["lambda-runtime-aws-request-id"], call.requestId)
      })
    )
  )

  it.live("has a port of its range, each once before any comes again, and tells when there is none", () =>
    Effect.gen(function* () {
      const api = yield* RuntimeApi
      const open = (index: number) => api.open({ ...spec, containerId: ContainerId.make(`worker-${index}`) })
      const seen = new Set<number>()
      for (let index = 0; index < 4; index++) {
        const { address } = yield* Effect.scoped(open(index))
        seen.add(address.port)
      }
      assert.strictEqual(seen.size, 4)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Effect.forEach([0, 1, 2, 3], open)
          const failure = yield* Effect.flip(open(4))
          assert.match(failure.message, /no port from 29400 to 29403 is free/)
        })
      )
    }).pipe(
      Effect.provide(
        LambdaRuntimeApi.layer({ ports: { first: 29_400, last: 29_403 } }).pipe(Layer.provide(RecordedLog.make().layer))
      )
    )
  )
})

describe("extensions", () => {
  const withAgent = (test: Parameters<typeof withDoor>[1]) => withDoor({ spec: { extensionNames: ["agent"] } }, test)

  it.live(
    "get INVOKE with every call and SHUTDOWN at the end, and the worker is free when they have polled again",
    withAgent(({ api, door, runtime }) =>
      Effect.gen(function* () {
        const registered = yield* heard(
          runtime.register("agent", ["INVOKE", "SHUTDOWN"], { "lambda-extension-accept-feature": "accountId" })
        )
        assert.deepStrictEqual(registered.json(), {
          functionName: "orders",
          functionVersion: "$LATEST",
          handler: "app.handler",
          accountId: "000000000000"
        })
        const id = String(registered.headers["lambda-extension-identifier"])
        const polled = runtime.next()
        yield* Effect.sleep(10)
        assert.strictEqual(api.phase(containerId), "init")
        const event = runtime.nextEvent(id)
        yield* api.ready(containerId)
        const call = invocation()
        const fiber = yield* Effect.forkScoped(api.invoke(containerId, call))
        yield* heard(polled)
        const invoke = yield* heard(event)
        assert.isDefined(invoke.headers["lambda-extension-event-identifier"])
        assert.deepInclude(invoke.json(), {
          eventType: "INVOKE",
          requestId: call.requestId,
          invokedFunctionArn: call.invokedArn,
          tracing: { type: "X-Amzn-Trace-Id", value: call.traceId }
        })
        yield* heard(runtime.respond(call.requestId, "{}"))
        yield* Fiber.join(fiber)
        runtime.next().catch(() => undefined)
        yield* Effect.sleep(10)
        assert.strictEqual(api.phase(containerId), "busy")
        const last = runtime.nextEvent(id)
        yield* until(() => api.phase(containerId) === "idle")
        assert.strictEqual(door.shutdown("spindown", 1_000), 1)
        assert.deepStrictEqual((yield* heard(last)).json(), {
          eventType: "SHUTDOWN",
          shutdownReason: "spindown",
          deadlineMs: 1_000
        })
        assert.strictEqual(api.phase(containerId), "dirty")
      })
    )
  )

  it.live(
    "that cannot start fail the start",
    withAgent(({ api, runtime }) =>
      Effect.gen(function* () {
        const registered = yield* heard(runtime.register("agent", []))
        const headers = { "lambda-extension-identifier": String(registered.headers["lambda-extension-identifier"]) }
        const path = "/2020-01-01/extension/init/error"
        const incomplete = yield* heard(runtime.ask("POST", path, { headers }))
        assert.deepInclude(incomplete.json(), { errorType: "Extension.MissingHeader" })
        const told = { ...headers, "lambda-extension-function-error-type": "Extension.NoKey" }
        assert.strictEqual((yield* heard(runtime.ask("POST", path, { headers: told, body: "{}" }))).status, 202)
        const failure = yield* Effect.flip(api.ready(containerId))
        assert.deepInclude(failure, { _tag: "InitFailed", errorType: "Extension.InitError" })
      })
    )
  )

  it.live(
    "that speak out of turn are refused as AWS does",
    withAgent(({ runtime }) =>
      Effect.gen(function* () {
        const typeOf = (answer: Promise<RawRuntime.Heard>) =>
          Effect.map(heard(answer), (refusal) => {
            assert.strictEqual(refusal.status, 403)
            return (refusal.json() as { readonly errorType: string }).errorType
          })
        assert.strictEqual(yield* typeOf(runtime.register("", ["INVOKE"])), "Extension.InvalidExtensionName")
        assert.strictEqual(yield* typeOf(runtime.register("agent", ["BIRTHDAY"])), "Extension.InvalidEventType")
        assert.strictEqual(yield* typeOf(runtime.register("inside", ["SHUTDOWN"])), "Extension.InvalidEventType")
        const garbled = runtime.ask("POST", "/2020-01-01/extension/register", {
          headers: { "lambda-extension-name": "agent" },
          body: "{"
        })
        assert.strictEqual(yield* typeOf(garbled), "InvalidRequestFormat")
        assert.strictEqual(yield* typeOf(runtime.nextEvent("")), "Extension.MissingExtensionIdentifier")
        assert.strictEqual(yield* typeOf(runtime.nextEvent("me")), "Extension.InvalidExtensionIdentifier")
        assert.strictEqual(yield* typeOf(runtime.nextEvent(randomUUID())), "Extension.UnknownExtensionIdentifier")
      })
    )
  )
})

describe("the log of a worker", () => {
  it.live(
    "has every line with the call it belongs to, between the platform's lines, and the caller gets its tail",
    withDoor({}, ({ api, door, log, runtime }) =>
      Effect.gen(function* () {
        door.output(Buffer.from("loading\n"))
        const polled = runtime.next()
        yield* api.ready(containerId)
        door.measured(40 * 1_048_576)
        door.measured(30 * 1_048_576)
        const call = invocation({ wantsLogTail: true })
        const fiber = yield* Effect.forkScoped(api.invoke(containerId, call))
        yield* heard(polled)
        door.output(Buffer.from("one\nERROR tw"))
        door.output(Buffer.from("o\nTraceback\r  line 1\n\nunfinished"))
        yield* heard(runtime.respond(call.requestId, "{}"))
        const { logTail } = yield* Fiber.join(fiber)
        const report =
          "REPORT RequestId: ID\tDuration: MS ms\tBilled Duration: MS ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\tInit Duration: MS ms\t"
        const neutral = (line: string) =>
          line.replaceAll(call.requestId, "ID").replaceAll(/(Duration: )[\d.]+/g, "$1MS")
        assert.deepStrictEqual(neutral(text(logTail)).split("\n"), [
          "START RequestId: ID Version: $LATEST",
          "one",
          "ERROR two",
          "Traceback\r  line 1",
          "",
          "unfinished",
          "END RequestId: ID",
          report,
          ""
        ])
        runtime.next().catch(() => undefined)
        yield* until(() => api.phase(containerId) === "idle")
        door.output(Buffer.from("late\n"))
        assert.deepStrictEqual(
          log.records.map(({ level, message, requestId, source }) => [
            source,
            level,
            neutral(message),
            requestId === call.requestId
          ]),
          [
            ["function", "INFO", "loading", false],
            ["platform", "INFO", "START RequestId: ID Version: $LATEST", true],
            ["function", "INFO", "one", true],
            ["function", "ERROR", "ERROR two", true],
            ["function", "INFO", "Traceback\r  line 1", true],
            ["function", "INFO", "", true],
            ["function", "INFO", "unfinished", true],
            ["platform", "INFO", "END RequestId: ID", true],
            ["platform", "INFO", report, true],
            ["function", "INFO", "late", true]
          ]
        )
        assert.isTrue(log.records.every(({ containerName }) => containerName === spec.containerName))
        assert.isTrue(log.records.slice(1).every(({ traceId }) => traceId === call.traceId))
      })
    )
  )

  it.live(
    "keeps to the noteworthy when asked: a quiet warm call leaves no line, a loud one all",
    withDoor({ settings: { platformLines: "noteworthy" } }, ({ api, door, log, runtime }) =>
      Effect.gen(function* () {
        let polled = runtime.next()
        const messagesOf = (output: string) =>
          Effect.gen(function* () {
            const before = log.records.length
            const call = invocation()
            const fiber = yield* Effect.forkScoped(api.invoke(containerId, call))
            yield* heard(polled)
            door.output(Buffer.from(output))
            yield* heard(runtime.respond(call.requestId, "{}"))
            yield* Fiber.join(fiber)
            polled = runtime.next()
            polled.catch(() => undefined)
            yield* until(() => api.phase(containerId) === "idle")
            return log.records.slice(before).map(({ message }) => message.split(" ")[0])
          })
        assert.deepStrictEqual(yield* messagesOf(""), ["START", "END", "REPORT"])
        assert.deepStrictEqual(yield* messagesOf(""), [])
        assert.deepStrictEqual(yield* messagesOf("hello\n"), ["START", "hello", "END", "REPORT"])
      })
    )
  )
})
