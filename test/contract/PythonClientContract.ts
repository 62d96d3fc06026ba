/** What the Python client promises beyond the common: AWS's rules for handlers, errors and logs of Python functions. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { type ErrorAnswer, errorOf, initFailure, promise, resultOf, temporary } from "./RuntimeClientContract.ts"
import { needs, pathOf } from "#test/support/Engines"
import { pythonClient, samples, type StartClient } from "#test/support/RuntimeClients"

type Promises = (title: string, body: (start: StartClient) => Effect.Effect<void, unknown, Scope.Scope>) => void

/** The error that AWS answered in a recorded test. */
const recordedError = (test: string): ErrorAnswer["body"] => {
  const file = join(pathOf("golden"), "aws-recordings/lambda___test_lambda.snapshot.json")
  const records = JSON.parse(readFileSync(file, "utf8"))
  const name = `tests/aws/services/lambda_/test_lambda.py::TestLambdaErrors::${test}`
  return records[name]["recorded-content"].invocation_error.Payload
}

/** Line numbers within Python's own modules differ between its versions. */
const withoutOwnLines = (trace: ReadonlyArray<string>) =>
  trace.map((frame) =>
    frame.includes("importlib") ? frame.replace(/line \d+/, "line N").replace(/".*(importlib\/)/, '"$1') : frame
  )

const golden = (promises: Promises) => {
  const taskRoot = samples("python")
  promises("tells a failed call as AWS was recorded to do", (start) =>
    Effect.gen(function* () {
      const recorded = recordedError("test_lambda_handler_error")
      const worker = yield* start("lambda_handler_error.handler")
      const { body, id, type } = errorOf(yield* worker.invoke({}))
      assert.strictEqual(type, "Exception")
      assert.deepStrictEqual(Object.keys(body), Object.keys(recorded))
      const stackTrace = recorded.stackTrace.map((frame) => frame.replace("/var/task", taskRoot))
      assert.deepStrictEqual(body, { ...recorded, requestId: id, stackTrace })
    })
  )

  promises("tells a failed start as AWS was recorded to do", (start) =>
    Effect.gen(function* () {
      const recorded = recordedError("test_lambda_runtime_error")
      const body = yield* Effect.flatMap(start("lambda_runtime_error.handler"), initFailure)
      assert.deepStrictEqual(Object.keys(body), Object.keys(recorded))
      const { stackTrace, ...rest } = recorded
      assert.deepInclude(body, rest)
      // The import system calls itself a varying number of times; its first frame and the function's own say the same.
      const [expected, actual] = [stackTrace, body.stackTrace].map(withoutOwnLines)
      assert.strictEqual(actual?.[0], expected?.[0])
      assert.strictEqual(actual?.at(-1), expected?.at(-1)?.replace("/var/task", taskRoot))
    })
  )
}

const handlers = (promises: Promises) => {
  promises("finds a handler in a package, with dots or slashes", (start) =>
    Effect.gen(function* () {
      for (const handler of ["package.inner.handler", "package/inner.handler"]) {
        const worker = yield* start(handler)
        assert.strictEqual(resultOf(yield* worker.invoke()), "package.inner")
      }
    })
  )

  const failures: ReadonlyArray<readonly [handler: string, type: string, message: string | RegExp]> = [
    ["nowhere.handler", "Runtime.ImportModuleError", "Unable to import module 'nowhere': No module named 'nowhere'"],
    [
      "bad/imports.handler",
      "Runtime.ImportModuleError",
      "Unable to import module 'bad/imports': No module named 'no_such_module'"
    ],
    [
      "bad/syntax.handler",
      "Runtime.UserCodeSyntaxError",
      /^Syntax error in module 'bad\/syntax': .*syntax\.py, line \d\)$/
    ],
    ["common.nope", "Runtime.HandlerNotFound", "Handler 'nope' missing on module 'common'"],
    ["sys.exit", "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys as a handler module"],
    ["common", "Runtime.MalformedHandlerName", "Bad handler 'common': not enough values to unpack (expected 2, got 1)"]
  ]
  promises("tells why a function cannot be loaded, in AWS's words", (start) =>
    Effect.gen(function* () {
      for (const [handler, type, message] of failures) {
        const { errorMessage, errorType, requestId } = yield* Effect.flatMap(start(handler), initFailure)
        assert.deepStrictEqual([errorType, requestId], [type, ""], handler)
        if (typeof message === "string") assert.strictEqual(errorMessage, message)
        else assert.match(errorMessage, message)
      }
    })
  )

  promises("leaves an exit while loading to the Runtime API", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("bad/exits.handler")
      assert.deepStrictEqual(yield* worker.exit, { kind: "exit", code: 5, signal: null })
      assert.isEmpty(worker.peer.requests)
    })
  )
}

const results = (promises: Promises) => {
  promises("keeps every digit of a Decimal", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("results.decimals")
      const outcome = yield* worker.invoke({})
      const expected = '{"price": 1.10, "digits": 12345678901234567890.123456789}'
      assert.strictEqual(outcome.kind === "response" && outcome.body.toString(), expected)
    })
  )

  promises("hands bytes over as they are, and takes those within a result for text", (start) =>
    Effect.gen(function* () {
      const raw = yield* start("results.raw")
      const outcome = yield* raw.invoke({})
      assert.strictEqual(outcome.kind === "response" && outcome.headers["content-type"], "application/unknown")
      assert.strictEqual(outcome.kind === "response" && outcome.body.toString(), "\0raw")
      const nested = yield* start("results.nested_bytes")
      assert.deepStrictEqual(resultOf(yield* nested.invoke({})), { text: "grüße" })
    })
  )

  const unspeakable: ReadonlyArray<readonly [handler: string, message: string]> = [
    ["results.a_set", "Object of type set is not JSON serializable"],
    ["results.identified", "Object of type UUID is not JSON serializable"],
    ["results.ring", "Circular reference detected"],
    ["results.promised", "Object of type coroutine is not JSON serializable"],
    [
      "results.half_a_character",
      String.raw`'utf-8' codec can't encode character '\ud83d' in position 1: surrogates not allowed`
    ]
  ]
  promises("fails a call whose result is not JSON, and takes the next one", (start) =>
    Effect.gen(function* () {
      for (const [handler, reason] of unspeakable) {
        const worker = yield* start(handler)
        for (const event of [1, 2]) {
          const { body, type } = errorOf(yield* worker.invoke(event))
          assert.strictEqual(type, "Runtime.MarshalError")
          assert.strictEqual(body.errorMessage, `Unable to marshal response: ${reason}`)
        }
      }
    })
  )

  promises("tells an error that cannot tell itself", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("results.broken_error")
      assert.strictEqual(errorOf(yield* worker.invoke({})).type, "Broken")
    })
  )

  promises("ends as Python does when a call raises what is no Exception", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("results.interrupted")
      const exit = yield* worker.invoke({})
      assert.strictEqual(exit.kind, "exit")
      assert.include(worker.output(), "KeyboardInterrupt")
    })
  )
}

const records = (promises: Promises) => {
  const stamp = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`

  promises("formats records of logging as AWS does, and leaves print alone", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("records.texts")
      const outcome = yield* worker.invoke({})
      const id = outcome.kind === "exit" ? "" : outcome.id
      const lines = worker
        .output()
        .trimEnd()
        .split("\n")
        .filter((line) => line !== "to stderr")
      const [printed, asItIs, info, warning, caught, ...more] = lines.map((line) =>
        line.replace(new RegExp(`\t${stamp}\\.\\d{3}Z\t${id}\t`), "|")
      )
      assert.deepStrictEqual(
        [printed, asItIs, info, warning],
        ["printed", "as it is", "[INFO]|hello world", "[WARNING]|two\rlines"]
      )
      assert.match(caught ?? "", /^\[ERROR\]\|caught\rTraceback \(most recent call last\):\r.*\rKeyError: 'key'$/s)
      assert.isEmpty(more)
      assert.include(worker.output(), "to stderr\n")
    })
  )

  promises("writes records as JSON when asked to, from the level asked for", (start) =>
    Effect.gen(function* () {
      const environment = { AWS_LAMBDA_LOG_FORMAT: "JSON", AWS_LAMBDA_LOG_LEVEL: "ERROR" }
      const worker = yield* start("records.extras", { environment })
      const outcome = yield* worker.invoke({})
      const requestId = outcome.kind === "exit" ? "" : outcome.id
      const told = worker
        .output()
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>)
      assert.isTrue(told.every(({ timestamp }) => new RegExp(`^${stamp}Z$`).test(String(timestamp))))
      const [info, error, caught] = told
      // The function sets its own level, which comes after ours.
      assert.deepInclude(info, { level: "INFO", message: { a: "dictionary" }, logger: "root", requestId, order: 7 })
      assert.deepStrictEqual(Object.keys(error ?? {}), ["timestamp", "level", "message", "logger", "requestId"])
      assert.deepInclude(error, { level: "ERROR", message: "boom", logger: "root", requestId })
      assert.deepInclude(caught, { errorType: "KeyError", errorMessage: "'key'" })
      assert.match(String(caught?.["location"]), /records\.py:extras:\d+$/)
    })
  )

  promises("writes a failure as one record", (start) =>
    Effect.gen(function* () {
      const text = yield* start("records.fails")
      yield* text.invoke({})
      const frame = `\u00a0\u00a0File "${samples("python", "records.py")}", line N, in fails`
      const code = String.raw`raise ValueError("first line\nsecond line")`
      assert.strictEqual(
        text.output().replace(/line \d+/, "line N"),
        `[ERROR] ValueError: first line\rsecond line\rTraceback (most recent call last):\r${frame}\r${"\u00a0".repeat(4)}${code}\n`
      )

      const json = yield* start("records.fails", { environment: { AWS_LAMBDA_LOG_FORMAT: "JSON" } })
      const outcome = yield* json.invoke({})
      const requestId = outcome.kind === "exit" ? "" : outcome.id
      const record = JSON.parse(json.output()) as Record<string, unknown>
      assert.deepInclude(record, { level: "ERROR", errorType: "ValueError", requestId })
    })
  )

  promises("tells and logs a failure whose message is no UTF-8", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("records.fails_oddly")
      assert.strictEqual(errorOf(yield* worker.invoke({})).body.errorMessage, "half of ?")
      assert.include(worker.output(), String.raw`[ERROR] ValueError: half of \ud83d`)
    })
  )

  promises("answers although the function closed its standard output", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("records.closes")
      assert.strictEqual(errorOf(yield* worker.invoke({})).body.errorMessage, "silent")
      assert.strictEqual(errorOf(yield* worker.invoke({})).type, "ValueError")
    })
  )
}

/** A module that says where it came from. */
const moduleAt = (directory: string, name: string, whence: string) => {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, `${name}.py`), `WHENCE = ${JSON.stringify(whence)}\n`)
}

const surroundings = (promises: Promises) => {
  promises("loads neither logging nor an HTTP library for a function that does not", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("surroundings.loaded")
      const loaded = resultOf(yield* worker.invoke({})) as ReadonlyArray<string>
      const costly = ["logging", "traceback", "http.client", "email", "ssl", "socket", "decimal", "uuid", "inspect"]
      assert.deepStrictEqual(
        costly.filter((name) => loaded.includes(name)),
        []
      )
    })
  )

  promises("finds modules of the function, then of layers, then of the SDK", (start) =>
    Effect.gen(function* () {
      const root = yield* temporary
      const [taskRoot, layer, sdk] = [join(root, "task"), join(root, "opt/python"), join(root, "sdk")]
      moduleAt(taskRoot, "in_both", "function")
      for (const name of ["in_layer", "in_both"]) moduleAt(layer, name, "layer")
      for (const name of ["in_sdk", "in_layer", "in_both"]) moduleAt(sdk, name, "sdk")
      cpSync(samples("python", "surroundings.py"), join(taskRoot, "surroundings.py"))

      const environment = { PYTHONPATH: `${layer}:${sdk}` }
      const layered = yield* start("surroundings.layered", { taskRoot, environment })
      assert.deepStrictEqual(resultOf(yield* layered.invoke({})), ["layer", "sdk", "function"])
      const paths = yield* start("surroundings.paths", { taskRoot, environment })
      const found = resultOf(yield* paths.invoke({})) as ReadonlyArray<string>
      assert.deepStrictEqual(found.slice(0, 3), [taskRoot, layer, sdk])
      assert.isFalse(found.some((path) => path.includes("process/clients")))
    })
  )

  promises("does not poll in a process that user code starts", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("surroundings.in_another_process")
      assert.strictEqual(resultOf(yield* worker.invoke({})), 5)
      assert.strictEqual(worker.peer.connections, 1)
    })
  )

  promises("describes the context when printed", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("surroundings.identity")
      const [description] = resultOf(yield* worker.invoke({})) as ReadonlyArray<string>
      assert.match(
        description ?? "",
        /^LambdaContext\(\[aws_request_id=\S+,log_group_name=.*,identity=CognitoIdentity\(/
      )
    })
  )
}

/** As much of botocore as one needs to see which endpoint a client would get. */
const botocore = (directory: string, version: string) => {
  const files = {
    "__init__.py": `__version__ = "${version}"\n`,
    "session.py": `
class _Model:
    def __init__(self, service_id):
        self.service_id = service_id

class Session:
    def get_service_model(self, name, api_version=None):
        return _Model({"s3": "S3", "logs": "CloudWatch Logs", "sqs": "SQS"}[name])

    def create_client(self, service_name, region_name=None, api_version=None, use_ssl=True, verify=None,
                      endpoint_url=None, **more):
        return endpoint_url
`
  }
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, "botocore", name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  return directory
}

const endpoints = (promises: Promises) => {
  const urls = {
    AWS_ENDPOINT_URL: "http://everything",
    AWS_ENDPOINT_URL_S3: "http://s3",
    AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: "http://logs"
  }
  const explicit = ["http://explicit", "http://positional"]
  const cases: ReadonlyArray<readonly [version: string, environment: Record<string, string>, endpoints: unknown]> = [
    ["1.29.27", urls, ["http://s3", "http://logs", "http://everything", ...explicit]],
    ["1.29.27", {}, [null, null, null, ...explicit]],
    ["1.29.27", { ...urls, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" }, [null, null, null, ...explicit]],
    // These know the variables themselves.
    ["1.31.0", urls, [null, null, null, ...explicit]],
    ["2.0.0.dev1", urls, [null, null, null, ...explicit]]
  ]
  promises("teaches an old SDK the variables that name endpoints", (start) =>
    Effect.gen(function* () {
      for (const [version, environment, expected] of cases) {
        const PYTHONPATH = botocore(yield* temporary, version)
        const worker = yield* start("sdk.clients", { environment: { ...environment, PYTHONPATH } })
        assert.deepStrictEqual(resultOf(yield* worker.invoke({})), expected, version)
      }
    })
  )
}

export const suite = (name: string) =>
  describe(`Runtime client (${name}) for Python functions`, () => {
    const start = pythonClient("python3.13")
    const promises: Promises = (title, body) => promise(title, () => body(start))
    describe("beside recorded answers", needs("golden"), () => {
      golden(promises)
    })
    handlers(promises)
    results(promises)
    records(promises)
    surroundings(promises)
    endpoints(promises)

    it.live("escapes what is not ASCII for the versions where AWS does", () =>
      Effect.scoped(
        Effect.gen(function* () {
          for (const [client, text] of [
            [pythonClient("python3.11"), String.raw`{"text": "gr\u00fc\u00dfe"}`],
            [start, '{"text": "grüße"}']
          ] as const) {
            const worker = yield* client("results.text")
            const outcome = yield* worker.invoke({})
            assert.strictEqual(outcome.kind === "response" && outcome.body.toString(), text)
          }
        })
      )
    )
  })
