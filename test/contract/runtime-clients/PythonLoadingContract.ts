/** How a Python function is found and loaded, and what it finds around it. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { initFailure, type Promises, promisesOf, resultOf, temporary } from "#test/support/ClientAnswers"
import { pythonClient, samples } from "#test/support/RuntimeClients"

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
  describe(`Runtime client (${name}) loading a function`, () => {
    const promises = promisesOf(async () => pythonClient("python3.13"))
    handlers(promises)
    surroundings(promises)
    endpoints(promises)
  })
