/** How a Node.js function is found and loaded: kinds of files, packages of layers, and what is told when it fails. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { cpSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { errorOf, initFailure, type Promises, promisesOf, resultOf, temporary } from "#test/support/ClientAnswers"
import { samples, type StartClient } from "#test/support/RuntimeClients"

/** `[major, minor]` */
type Version = readonly [number, number]

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

const layers = (promises: Promises, [major, minor]: Version) => {
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

export const suite = (name: string, version: Version, makeStart: () => Promise<StartClient>) =>
  describe(`Runtime client (${name}) loading a function`, () => {
    const promises = promisesOf(makeStart)
    handlerFiles(promises)
    layers(promises, version)
  })
