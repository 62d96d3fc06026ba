/** Images that `esb build` makes on bases in AWS's layout, with AWS's own runtime clients, and their functions on an engine. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Zip } from "effect/encoding"
import { chmodSync, copyFileSync, cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { OwnerId } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { call } from "#test/contract/ContainerRuntimeContract"
import * as BaseImages from "#test/support/BaseImages"
import * as Cli from "#test/support/Cli"
import { names } from "#test/support/DockerImages"
import * as DockerWorkers from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import * as JavaClasses from "#test/support/JavaClasses"
import { specOf } from "#test/support/WorkerFunctions"

const samples = (path: string) => fileURLToPath(new URL(`../samples/${path}`, import.meta.url))
const owner = OwnerId.make("gateway-of-built-images")

/** The template of one function with one layer. */
const template = (runtime: string, handler: string) => `AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties: { FunctionName: hello, CodeUri: src/, Handler: "${handler}", Runtime: ${runtime}, Layers: [!Ref Shared] }
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: { ContentUri: layer/ }
`

interface Project {
  readonly base: BaseImages.BaseName
  readonly runtime: string
  readonly handler: string
  readonly files: Readonly<Record<string, string>>
  /** Writes what is no text. */
  readonly prepare?: (root: string) => Effect.Effect<void>
}

/** A worker from the image that `esb build` has made; nobody but the image tells it of its handler and its runtime. */
const built = Effect.fnUntraced(function* ({ base, files, handler, prepare, runtime }: Project) {
  const prefix = yield* names
  const root = yield* Cli.project({ ...files, "template.yaml": template(runtime, handler) })
  yield* prepare?.(root) ?? Effect.void
  const variable = `ESB_BASE_IMAGE_${runtime.toUpperCase().replace(".", "_")}`
  const reference = yield* Effect.promise(() => BaseImages.reference(base))
  const environment = { [variable]: reference, ESB_BRAND_SLUG: prefix, ENV: "dev" }
  const { code, stderr } = yield* Cli.esb(["build"], { cwd: root, environment })
  assert.strictEqual(code, 0, stderr)

  const whole = specOf(`${prefix}hello:latest`, "")
  const told = Object.entries(whole.environment).filter(([name]) => !["_HANDLER", "AWS_EXECUTION_ENV"].includes(name))
  const engine = yield* ContainerRuntime
  const client = yield* WorkerClient
  const worker = yield* Effect.acquireRelease(
    engine.ensure({ ...whole, environment: Object.fromEntries(told) }, owner),
    ({ id }) => Effect.orDie(engine.destroy(id, owner))
  )
  yield* client.ready(worker)
  return Effect.fnUntraced(function* (event: unknown) {
    const invocation = call(worker, event)
    const { errorType, payload } = yield* client.send(worker, invocation)
    const answer = JSON.parse(Buffer.from(payload).toString()) as unknown
    return { answer, errorType, requestId: invocation.requestId }
  })
})

const live = (
  title: string,
  base: BaseImages.BaseName,
  test: () => Effect.Effect<void, unknown, Effect.Services<ReturnType<typeof built>>>
) =>
  it.live(title, () => test().pipe(Effect.scoped, Effect.provide(DockerWorkers.layer())), {
    ...needs(...BaseImages.peers[base]),
    timeout: 120_000
  })

/** A wheel of one module. */
const wheel = Stream.fromIterable([
  Zip.file("wheeled.py", 'WORD = "wheeled"\n'),
  Zip.file("wheeled-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: wheeled\nVersion: 1.0\n"),
  Zip.file("wheeled-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
  Zip.file("wheeled-1.0.dist-info/RECORD", "")
]).pipe(Stream.pipeThroughChannel(Zip.encode()), Stream.runCollect, Effect.map(Buffer.concat))

describe("an image that esb build makes of a zip function", () => {
  live("finds in Python the packages of its requirements.txt and the modules of its layers", "python", () =>
    Effect.gen(function* () {
      const invoke = yield* built({
        base: "python",
        runtime: "python3.11",
        handler: "app.handler",
        files: {
          "src/app.py":
            "import sys, wheeled, greeting\n" +
            "def handler(event, context):\n" +
            "    return [event, wheeled.WORD, greeting.hello('python'), greeting.__file__]\n",
          "src/requirements.txt": "./wheeled-1.0-py3-none-any.whl\n",
          "layer/python/greeting.py": 'def hello(name):\n    return "hello " + name\n'
        },
        prepare: (root) =>
          Effect.map(wheel, (bytes) => writeFileSync(join(root, "src/wheeled-1.0-py3-none-any.whl"), bytes)).pipe(
            Effect.orDie
          )
      })
      const { answer } = yield* invoke({ n: 1 })
      assert.deepStrictEqual(answer, [{ n: 1 }, "wheeled", "hello python", "/opt/python/greeting.py"])
    })
  )

  live("finds in Node the modules of its layers", "node", () =>
    Effect.gen(function* () {
      const invoke = yield* built({
        base: "node",
        runtime: "nodejs24.x",
        handler: "app.handler",
        files: {
          "src/app.js": 'exports.handler = async (event) => [event, require("shared"), require.resolve("shared")]\n',
          "layer/nodejs/node_modules/shared/index.js": 'module.exports = "shared"\n'
        }
      })
      const { answer } = yield* invoke({ n: 1 })
      assert.deepStrictEqual(answer, [{ n: 1 }, "shared", "/opt/nodejs/node_modules/shared/index.js"])
    })
  )

  live("runs classes of Java, with the jars of its layers", "java", () =>
    Effect.gen(function* () {
      const invoke = yield* built({
        base: "java",
        runtime: "java17",
        handler: "example.App::handle",
        files: {},
        prepare: (root) =>
          Effect.sync(() => {
            const classes = join(root, "layer-classes")
            mkdirSync(join(root, "layer/java/lib"), { recursive: true })
            JavaClasses.compile(samples("images/java/layer"), classes)
            JavaClasses.archive(join(root, "layer/java/lib/greeting.jar"), classes)
            JavaClasses.compile(samples("images/java/function"), join(root, "src"), classes)
          })
      })
      const { answer, requestId } = yield* invoke({ n: 1 })
      const trace = "Root=1-5759e988-bd862e3fe1be46a994272793"
      assert.deepStrictEqual(answer, { event: { n: 1 }, requestId, greeting: "hello java", trace })
      const failed = yield* invoke({ fail: "on purpose" })
      // The header of AWS's client tells no more than whose fault it is.
      assert.strictEqual(failed.errorType, "Runtime.UserException")
      assert.deepInclude(failed.answer, { errorType: "java.lang.IllegalStateException", errorMessage: "on purpose" })
    })
  )

  live("starts the bootstrap of a provided runtime, with its handler and what its layers bring", "provided", () =>
    Effect.gen(function* () {
      const invoke = yield* built({
        base: "provided",
        runtime: "provided.al2023",
        handler: "any.handler",
        files: { "layer/bin/tool": "#!/bin/sh\n" },
        prepare: (root) =>
          Effect.sync(() => cpSync(samples("workers/provided"), join(root, "src"), { recursive: true }))
      })
      for (const n of [1, 2]) assert.deepStrictEqual((yield* invoke({ n })).answer, { event: { n } })
    })
  )

  live("starts the bootstrap of a layer where the code has none", "provided", () =>
    Effect.gen(function* () {
      const invoke = yield* built({
        base: "provided",
        runtime: "provided.al2023",
        handler: "any.handler",
        files: { "src/data.txt": "of the function\n", "layer/readme.txt": "" },
        prepare: (root) =>
          Effect.sync(() => {
            copyFileSync(join(samples("workers/provided"), "bootstrap"), join(root, "layer/bootstrap"))
            chmodSync(join(root, "layer/bootstrap"), 0o755)
          })
      })
      assert.deepStrictEqual((yield* invoke({ n: 1 })).answer, { event: { n: 1 } })
    })
  )
})
