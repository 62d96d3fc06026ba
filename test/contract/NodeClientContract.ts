/** What the Node client promises beyond the common: AWS's rules for handlers, errors and logs of Node.js functions. */
import { assert, describe } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { errorOf, initFailure, promise, resultOf, temporary } from "./RuntimeClientContract.ts"
import { needs, pathOf } from "#test/support/Engines"
import { samples, type StartClient } from "#test/support/RuntimeClients"

type Promises = (title: string, body: (start: StartClient) => Effect.Effect<void, unknown, Scope.Scope>) => void

export interface Interpreter {
  readonly path: string
  /** `[major, minor]` */
  readonly version: readonly [number, number]
}

const handlerFiles = (promises: Promises) => {
  const files = samples("node", "files")
  const cases: ReadonlyArray<readonly [handler: string, result: string]> = [
    ["files/plain.handler", join(files, "plain.js")],
    ["files/module.handler", pathToFileURL(join(files, "module.mjs")).href],
    ["files/common.handler", join(files, "common.cjs")],
    ["files/extensionless.handler", join(files, "extensionless")],
    ["files/scoped/index.handler", "top level await"],
    ["files/default.handler", "by default"],
    ["promises.nested.deeper.handler", "nested"]
  ]
  promises("finds a handler by file and path of exports, in every kind of module", (start) =>
    Effect.gen(function* () {
      for (const [handler, result] of cases) {
        const worker = yield* start(handler)
        assert.strictEqual(resultOf(yield* worker.invoke()), result, handler)
      }
    })
  )

  const failures: ReadonlyArray<readonly [handler: string, type: string, message: string | RegExp]> = [
    [
      "nowhere.handler",
      "Runtime.ImportModuleError",
      /^Error: Cannot find module 'nowhere'\nRequire stack:\n- \S+node\.mjs$/
    ],
    [
      "files/bad/requires.handler",
      "Runtime.ImportModuleError",
      /^Error: Cannot find module 'no-such-package'\nRequire stack:\n- \S+requires\.js\n- /
    ],
    // AWS knows a missing module by the code of `require` only.
    ["files/bad/imports.handler", "Error", /^Cannot find package 'no-such-package' imported from /],
    ["files/bad/syntax.handler", "Runtime.UserCodeSyntaxError", /^SyntaxError: /],
    ["files/bad/throws.handler", "RangeError", "while loading"],
    ["promises.nope", "Runtime.HandlerNotFound", "promises.nope is undefined or not exported"],
    ["promises.notAFunction", "Runtime.HandlerNotFound", "promises.notAFunction is not a function"],
    ["promises", "Runtime.MalformedHandlerName", "Bad handler"],
    [
      "../promises.handler",
      "Runtime.MalformedHandlerName",
      "'../promises.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names."
    ]
  ]
  promises("tells why a function cannot be loaded, in AWS's words", (start) =>
    Effect.gen(function* () {
      for (const [handler, type, message] of failures) {
        const { errorType, errorMessage, trace } = yield* Effect.flatMap(start(handler), initFailure)
        assert.strictEqual(errorType, type, handler)
        if (typeof message === "string") assert.strictEqual(errorMessage, message)
        else assert.match(errorMessage, message)
        assert.isTrue(
          trace.join("\n").includes(errorMessage.split("\n", 1)[0] ?? ""),
          `${handler}: ${trace.join("\n")}`
        )
      }
    })
  )

  promises("shows where a syntax error is", (start) =>
    Effect.gen(function* () {
      const { trace } = yield* Effect.flatMap(start("files/bad/syntax.handler"), initFailure)
      assert.strictEqual(trace[0], `${join(files, "bad/syntax.js")}:1`)
    })
  )
}

const recorded = (promises: Promises) => {
  promises("tells a failed call as AWS was recorded to do", (start) =>
    Effect.gen(function* () {
      const file = join(pathOf("golden"), "aws-recordings/lambda___test_lambda_common.snapshot.json")
      const records = JSON.parse(readFileSync(file, "utf8"))
      const worker = yield* start("promises.golden")
      const { body } = errorOf(yield* worker.invoke({ error_msg: "some_error_msg" }))
      for (const runtime of ["nodejs22.x", "nodejs24.x"]) {
        const test = `TestLambdaRuntimesCommon::test_uncaught_exception_invoke[${runtime}]`
        const record = records[`tests/aws/services/lambda_/test_lambda_common.py::${test}`]
        const { trace: _unlike, ...told } = record["recorded-content"].error_result.Payload
        assert.deepStrictEqual(body as unknown, { ...told, trace: body.trace })
      }
    })
  )
}

const failures = (promises: Promises) => {
  promises("tells a thrown error as AWS does: type, message, trace", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("promises.throwsAtOnce")
      const { body, type } = errorOf(yield* worker.invoke({}))
      assert.strictEqual(type, "TooHot")
      assert.deepStrictEqual(Object.keys(body), ["errorType", "errorMessage", "trace"])
      assert.deepStrictEqual(
        [body.errorType, body.errorMessage, body.trace[0]],
        ["TooHot", "at once", "TooHot: at once"]
      )
      assert.match(body.trace[1] ?? "", /^ {4}at .*promises\.js:\d+:\d+\)$/)
    })
  )

  promises("tells what was thrown although it is no error", (start) =>
    Effect.gen(function* () {
      const rejects = yield* start("promises.rejects")
      const told = errorOf(yield* rejects.invoke("a string")).body
      assert.deepStrictEqual(told as unknown, { errorType: "string", errorMessage: "a string", trace: [] })
      const object = errorOf(yield* rejects.invoke({ an: "object" })).body
      assert.deepStrictEqual(object as unknown, { errorType: "object", errorMessage: "[object Object]", trace: [] })

      const hostile = yield* start("promises.throwsHostile")
      assert.strictEqual(errorOf(yield* hostile.invoke({})).type, "handled")
    })
  )

  promises("tells an unhandled rejection during a call, then ends", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("promises.unhandled")
      const { body, type } = errorOf(yield* worker.invoke({}))
      assert.strictEqual(type, "Runtime.UnhandledPromiseRejection")
      assert.deepStrictEqual([body.errorType, body.errorMessage], [type, "Error: nobody catches"])
      assert.strictEqual(body.trace[0], `${type}: Error: nobody catches`)
      assert.deepStrictEqual(yield* worker.exit, { kind: "exit", code: 128, signal: null })
      assert.match(worker.output(), /\tERROR\tUnhandled Promise Rejection \t\{.*nobody catches/)
    })
  )

  promises("tells an uncaught exception during a call, then ends", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("promises.uncaught")
      const { body, type } = errorOf(yield* worker.invoke({}))
      assert.deepStrictEqual([type, body.errorMessage], ["TooHot", "in a timer"])
      assert.deepStrictEqual(yield* worker.exit, { kind: "exit", code: 129, signal: null })
    })
  )

  promises("tells a rejection while loading as an init error", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("files/bad/rejects.handler")
      assert.strictEqual((yield* worker.exit).code, 128)
      const told = JSON.parse(worker.initError()?.body.toString() ?? "null") as { errorType: string }
      assert.strictEqual(told.errorType, "Runtime.UnhandledPromiseRejection")
    })
  )

  promises("ends when user code fails after its answer, and keeps the answer", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("promises.afterwards")
      assert.strictEqual(resultOf(yield* worker.invoke({})), "answered")
      assert.strictEqual((yield* worker.exit).code, 129)
      assert.include(worker.output(), "after the answer")
      assert.strictEqual(worker.peer.requests.filter(({ path }) => path.endsWith("/error")).length, 0)
    })
  )

  const endings = [
    { handler: "promises.unhandledButAnswers", kind: "response", code: 128 },
    { handler: "promises.answersTooLate", kind: "error", code: 129 }
  ]
  promises("answers once and takes no further call when it is about to end", (start) =>
    Effect.gen(function* () {
      for (const { code, handler, kind } of endings) {
        const worker = yield* start(handler)
        const [first] = [worker.peer.call({}), worker.peer.call({})]
        assert.strictEqual((yield* Effect.promise(() => first.answered)).kind, kind)
        assert.strictEqual((yield* worker.exit).code, code)
        assert.deepStrictEqual(
          worker.peer.requests.map(({ path }) => path.replace(/.*\//, "")),
          ["next", kind]
        )
      }
    })
  )

  promises("lets user code handle SIGTERM", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("signals.handler")
      assert.strictEqual(resultOf(yield* worker.invoke({})), "ready")
      process.kill(worker.pid, "SIGTERM")
      assert.strictEqual((yield* worker.exit).code, 7)
      assert.include(worker.output(), "cleaned up")
    })
  )
}

const logs = (promises: Promises) => {
  const stamp = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`

  promises("writes console records as AWS formats them", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("logs.levels")
      const outcome = yield* worker.invoke({})
      const id = outcome.kind === "exit" ? "" : outcome.id
      const records = worker.output().trimEnd().split("\n").slice(1)
      const expected = [
        "TRACE\tat trace",
        "DEBUG\tat debug",
        "INFO\tat info",
        "INFO\tat log, formatted 1 { with: 'more' }",
        "WARN\tat warn",
        "ERROR\tat error",
        "INFO\ttwo\rlines"
      ]
      assert.deepStrictEqual(
        records.map((record) => record.replace(new RegExp(`^${stamp}\t${id}\t`), "")),
        expected
      )
    })
  )

  promises("writes console records as JSON when asked to, from the level asked for", (start) =>
    Effect.gen(function* () {
      const environment = { AWS_LAMBDA_LOG_FORMAT: "JSON", AWS_LAMBDA_LOG_LEVEL: "WARN" }
      const levels = yield* start("logs.levels", { environment })
      const outcome = yield* levels.invoke({})
      const records = levels
        .output()
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>)
      assert.deepStrictEqual(
        records.map(({ timestamp, ...rest }) => [new RegExp(`^${stamp}$`).test(String(timestamp)), rest]),
        [
          [true, { level: "WARN", requestId: outcome.kind === "exit" ? "" : outcome.id, message: "at warn" }],
          [true, { level: "ERROR", requestId: outcome.kind === "exit" ? "" : outcome.id, message: "at error" }]
        ]
      )
    })
  )

  promises("writes objects and errors into JSON records", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("logs.objects", { environment: { AWS_LAMBDA_LOG_FORMAT: "json" } })
      yield* worker.invoke({})
      const records = worker.output().trimEnd().split("\n").slice(1)
      const [object, described, alone, ring] = records.map((line) => JSON.parse(line) as Record<string, unknown>)
      assert.deepStrictEqual(object?.["message"], { an: "object" })
      assert.strictEqual(described?.["errorType"], "RangeError")
      assert.strictEqual(described?.["errorMessage"], "too far")
      assert.isArray(described?.["stackTrace"])
      assert.include(described?.["message"], "failed: RangeError: too far")
      assert.deepInclude(alone?.["message"], { errorType: "RangeError", errorMessage: "alone" })
      assert.include(ring?.["message"], "name: 'ring'")
    })
  )

  promises("loses no record when the pipe is full", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("logs.floods")
      yield* worker.invoke({ lines: 2000 })
      const flood = worker
        .output()
        .split("\n")
        .filter((line) => line.includes("\tflood "))
      assert.strictEqual(flood.length, 2000)
      assert.isTrue(flood.every((line, index) => line.endsWith(`flood ${index + 1} ${"x".repeat(1000)}`)))
    })
  )

  promises("logs a failure with all the error's properties", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("promises.throwsAtOnce")
      const outcome = yield* worker.invoke({})
      const [, id, level, what, json] = worker.output().trimEnd().split("\t")
      assert.deepStrictEqual([id, level, what], [outcome.kind === "exit" ? "" : outcome.id, "ERROR", "Invoke Error "])
      assert.deepInclude(JSON.parse(json ?? ""), { errorType: "TooHot", errorMessage: "at once", degrees: 451 })
    })
  )
}

/** A directory of packages, each of which says where it came from. */
const packages = (directory: string, from: string, ...names: ReadonlyArray<string>) => {
  for (const name of names) {
    const home = join(directory, "node_modules", name)
    mkdirSync(home, { recursive: true })
    const entries = { ".": { import: "./index.mjs", require: "./index.cjs" }, "./part": "./index.mjs" }
    writeFileSync(join(home, "package.json"), JSON.stringify({ name, exports: entries }))
    writeFileSync(join(home, "index.mjs"), `export const from = ${JSON.stringify(`${from} by import`)}\n`)
    writeFileSync(join(home, "index.cjs"), `exports.from = ${JSON.stringify(`${from} by require`)}\n`)
  }
  return join(directory, "node_modules")
}

const layers = (promises: Promises, interpreter: Interpreter) => {
  const layered = Effect.gen(function* () {
    const root = yield* temporary
    const taskRoot = join(root, "task")
    for (const file of ["layered.mjs", "layered-helper.mjs", "layered.cjs"]) {
      cpSync(samples("node", file), join(taskRoot, file))
    }
    packages(taskRoot, "function", "in-both")
    const layer = packages(join(root, "opt/nodejs"), "layer", "in-layer", "in-both", "in-layer-and-sdk")
    const sdk = packages(join(root, "sdk"), "sdk", "@scope/in-sdk", "in-sdk-later", "in-layer", "in-both")
    return { taskRoot, environment: { NODE_PATH: `${join(root, "absent")}:${layer}:${sdk}` } }
  })

  promises("finds packages of layers, then of the SDK, but the function's own first", (start) =>
    Effect.gen(function* () {
      const byImport = yield* start("layered.early", yield* layered)
      const own = "function by import"
      const found = { fromLayer: "layer by import", fromScoped: "sdk by import", fromBoth: own }
      assert.deepStrictEqual(resultOf(yield* byImport.invoke({})), found)
    })
  )

  promises("finds packages of layers from CommonJS", (start) =>
    Effect.gen(function* () {
      const { taskRoot, environment } = yield* layered
      const nested = join(taskRoot, "commonjs")
      cpSync(join(taskRoot, "layered.cjs"), join(nested, "index.cjs"))
      const worker = yield* start("commonjs/index.handler", { taskRoot, environment })
      const found = { fromLayer: "layer by require", fromBoth: "function by require" }
      assert.deepStrictEqual(resultOf(yield* worker.invoke({})), found)
    })
  )

  const [major, minor] = interpreter.version
  const resolvesInThread = major > 22 || (major === 22 && minor >= 15)
  if (resolvesInThread) {
    promises("finds packages of layers for imports that a handler makes later", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("layered.handler", yield* layered)
        assert.deepInclude(resultOf(yield* worker.invoke({})) as object, { fromLater: "sdk by import" })
      })
    )
  }

  promises("says of a package that is nowhere what Node says", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("layered.missing", yield* layered)
      const { body } = errorOf(yield* worker.invoke({}))
      assert.match(body.errorMessage, /^Cannot find package 'no-such-package' imported from /)
    })
  )

  if (major >= 24) {
    promises("keeps compiled code for the next worker where a place for it is named", (start) =>
      Effect.gen(function* () {
        const cache = yield* temporary
        const worker = yield* start("promises.nested.deeper.handler", { environment: { NODE_COMPILE_CACHE: cache } })
        yield* worker.invoke({})
        yield* worker.invoke({})
        assert.isNotEmpty(readdirSync(cache))
      })
    )
  }
}

/** Rules that hold for every Node.js function. */
export const suite = (name: string, interpreter: Interpreter, makeStart: () => Promise<StartClient>) =>
  describe(`Runtime client (${name}) for Node.js functions`, () => {
    const promises: Promises = (title, body) => promise(title, () => Effect.flatMap(Effect.promise(makeStart), body))
    handlerFiles(promises)
    describe("beside recorded answers", needs("golden"), () => {
      recorded(promises)
    })
    failures(promises)
    logs(promises)
    layers(promises, interpreter)
  })
