/** Runtime clients that we did not write, unmodified, in front of our Runtime API. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { InitFailed, WorkerExited } from "#domain/Failure"
import { FunctionName } from "#domain/FunctionName"
import type { Invocation } from "#domain/Invocation"
import { ContainerId, OwnerId } from "#domain/Worker"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import { RuntimeApi } from "#services/RuntimeApi"
import { needs, pathOf } from "#test/support/Engines"
import { temporaryDirectory } from "#test/support/ProcessWorkers"
import * as RecordedLog from "#test/support/RecordedLog"

const samples = fileURLToPath(new URL("../samples", import.meta.url))
const functionName = FunctionName.make("stranger")
const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

interface Stranger {
  readonly command: string
  readonly arguments: ReadonlyArray<string>
  readonly directory: string
  readonly environment?: Readonly<Record<string, string>>
}

const invocation = (changed: Partial<Invocation> = {}): Invocation => ({
  requestId: randomUUID(),
  functionName,
  traceId: trace,
  invokedArn: "arn:aws:lambda:us-east-1:000000000000:function:stranger",
  payload: Buffer.from('{"n":1}'),
  clientContext: undefined,
  // An answer with its tail comes after the lines of its call.
  wantsLogTail: true,
  ...changed
})

const json = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString())

/** Starts a client in front of a door of its own; it is killed when the scope ends. */
const start = Effect.fnUntraced(function* (stranger: Stranger, handler: string) {
  const api = yield* RuntimeApi
  const containerId = ContainerId.make(`esb-test-stranger-${randomUUID()}`)
  const door = yield* api.open({
    containerId,
    containerName: containerId,
    owner: OwnerId.make("gateway-test"),
    functionName,
    handler,
    memoryMiB: 256,
    timeoutMs: 20_000,
    extensionNames: []
  })
  door.admit("127.0.0.1")
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(stranger.command, stranger.arguments, {
        cwd: stranger.directory,
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          PATH: process.env["PATH"],
          AWS_LAMBDA_RUNTIME_API: door.endpoint,
          AWS_LAMBDA_FUNCTION_NAME: functionName,
          AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
          AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "256",
          AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/stranger",
          AWS_LAMBDA_LOG_STREAM_NAME: "2026/11/21/[$LATEST]0",
          AWS_REGION: "us-east-1",
          LAMBDA_TASK_ROOT: stranger.directory,
          TZ: ":UTC",
          _HANDLER: handler,
          ...stranger.environment
        }
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  child.stdout.on("data", door.output)
  child.stderr.on("data", door.output)
  child.once("close", (code, signal) =>
    door.exited({ code: code ?? undefined, signal: signal ?? undefined, outOfMemory: false, extension: undefined })
  )
  return {
    ready: api.ready(containerId),
    invoke: (changed?: Partial<Invocation>) => api.invoke(containerId, invocation(changed))
  }
})

type Started = Effect.Success<ReturnType<typeof start>>

const running =
  (
    stranger: () => Stranger,
    handler: string,
    test: (started: Started, log: RecordedLog.RecordedLog) => Effect.Effect<void, unknown>
  ) =>
  (): Effect.Effect<void, unknown> => {
    const log = RecordedLog.make()
    return start(stranger(), handler).pipe(
      Effect.flatMap((started) => test(started, log)),
      Effect.scoped,
      Effect.provide(LambdaRuntimeApi.layer().pipe(Layer.provide(log.layer)))
    )
  }

describe("aws-lambda-ric, AWS's client for Node", needs("ric-node"), () => {
  const node = (): Stranger => ({
    command: process.execPath,
    arguments: [join(pathOf("ric-node"), "node_modules/aws-lambda-ric/index.mjs")],
    directory: join(samples, "strangers/node"),
    environment: { AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x" }
  })

  it.live(
    "brings results, call after call, with ids, trace and client context",
    running(node, "index.echo", ({ invoke, ready }, log) =>
      Effect.gen(function* () {
        yield* ready
        for (const n of [1, 2, 3]) {
          const requestId = randomUUID()
          const clientContext = '{"custom":{"tenant":"a"}}'
          const result = yield* invoke({ requestId, clientContext, payload: Buffer.from(JSON.stringify({ n })) })
          assert.deepStrictEqual(json(result.payload), {
            event: { n },
            requestId,
            trace,
            client: { custom: { tenant: "a" } }
          })
          const line = log.records.find(({ message }) => message.includes(`seen ${n}`))
          assert.strictEqual(line?.requestId, requestId)
        }
      })
    )
  )

  it.live(
    "brings errors of the function with their type, and goes on",
    running(node, "index.fail", ({ invoke }) =>
      Effect.gen(function* () {
        for (let turn = 0; turn < 2; turn++) {
          const result = yield* invoke()
          assert.strictEqual(result.errorType, "TypeError")
          assert.deepInclude(json(result.payload), { errorType: "TypeError", errorMessage: "boom" })
        }
      })
    )
  )

  it.live(
    "brings streamed answers, and what ends them early",
    running(node, "index.stream", ({ invoke }) =>
      Effect.gen(function* () {
        const result = yield* invoke()
        assert.deepInclude(result, { contentType: "text/plain", errorType: undefined })
        assert.strictEqual(Buffer.from(result.payload).toString(), "one two")
      })
    )
  )

  it.live(
    "brings the error that ends a streamed answer",
    running(node, "index.broken", ({ invoke }) =>
      Effect.gen(function* () {
        const result = yield* invoke()
        assert.deepInclude(json(result.payload), { errorMessage: "midway" })
        assert.isDefined(result.errorType)
      })
    )
  )

  it.live(
    "reports a function that cannot be loaded",
    running(node, "unloadable.handler", ({ ready }) =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(ready)
        assert.strictEqual(failure._tag, "InitFailed")
        assert.deepInclude(json((failure as InitFailed).payload), {
          errorType: "RangeError",
          errorMessage: "not today"
        })
      })
    )
  )

  it.live(
    "ends its call when the function exits",
    running(node, "index.exit", ({ invoke }) =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(invoke())
        assert.strictEqual(failure._tag, "WorkerExited")
        assert.strictEqual((failure as WorkerExited).errorType, "Runtime.ExitError")
      })
    )
  )
})

describe("awslambdaric, AWS's client for Python", needs("ric-python", "python"), () => {
  const python = (handler: string) => (): Stranger => ({
    command: pathOf("python"),
    arguments: ["-m", "awslambdaric", handler],
    directory: join(samples, "strangers/python"),
    environment: {
      PYTHONPATH: pathOf("ric-python"),
      PYTHONDONTWRITEBYTECODE: "1",
      HOME: process.env["HOME"] ?? "",
      AWS_EXECUTION_ENV: "AWS_Lambda_python3.11"
    }
  })

  it.live(
    "brings results, call after call, with ids and trace",
    running(python("app.echo"), "app.echo", ({ invoke, ready }) =>
      Effect.gen(function* () {
        yield* ready
        for (const n of [1, 2, 3]) {
          const requestId = randomUUID()
          const result = yield* invoke({ requestId, payload: Buffer.from(JSON.stringify({ n })) })
          assert.deepStrictEqual(json(result.payload), { event: { n }, requestId, trace })
        }
      })
    )
  )

  it.live(
    "brings errors of the function with their type, and the log in one record",
    running(python("app.fail"), "app.fail", ({ invoke }, log) =>
      Effect.gen(function* () {
        const result = yield* invoke()
        assert.strictEqual(result.errorType, "ValueError")
        assert.deepInclude(json(result.payload), { errorType: "ValueError", errorMessage: "boom" })
        const record = log.records.find(({ message }) => message.includes("ValueError: boom"))
        assert.deepInclude(record, { source: "function", level: "ERROR" })
      })
    )
  )

  it.live(
    "reports a function that cannot be loaded",
    running(python("unloadable.handler"), "unloadable.handler", ({ ready }) =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(ready)
        assert.strictEqual(failure._tag, "InitFailed")
        assert.deepInclude(json((failure as InitFailed).payload), { errorMessage: "not today" })
      })
    )
  )

  it.live(
    "ends its call when the function exits",
    running(python("app.leave"), "app.leave", ({ invoke }) =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(invoke())
        assert.strictEqual(failure._tag, "WorkerExited")
      })
    )
  )
})

describe("a custom runtime of sh and curl", needs(), () => {
  const directory = join(samples, "workers/provided")
  const shell = (): Stranger => ({
    command: join(directory, "bootstrap"),
    arguments: [],
    directory,
    environment: { TMPDIR: temporaryDirectory() }
  })

  it.live(
    "brings results, call after call",
    running(shell, "hello.handler", ({ invoke }, log) =>
      Effect.gen(function* () {
        for (const n of [1, 2]) {
          const requestId = randomUUID()
          const result = yield* invoke({ requestId, payload: Buffer.from(JSON.stringify({ n })) })
          assert.deepStrictEqual(json(result.payload), { event: { n } })
          assert.isTrue(log.records.some(({ message }) => message === `handler hello.handler got ${requestId}`))
        }
      })
    )
  )
})
