import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Fiber, Layer, Logger, Result, type Scope, Stream } from "effect"
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { stringify } from "yaml"
import type { FunctionName } from "#domain/FunctionName"
import type { FunctionSpec } from "#domain/FunctionSpec"
import * as Manifest from "#domain/Manifest"
import { escape } from "#domain/ManifestVariables"
import * as FileFunctionCatalog from "#layers/files/FileFunctionCatalog"
import * as MemoryFunctionCatalog from "#layers/memory/MemoryFunctionCatalog"
import { FunctionCatalog } from "#services/FunctionCatalog"

type Deployment = MemoryFunctionCatalog.Deployment

const scaling = { minCapacity: 0, maxCapacity: 10, idleTimeoutMs: 300_000, acquireTimeoutMs: 2_000 }

const spec = (name: string, image = "image:1"): FunctionSpec => {
  const [decoded] = Result.getOrThrow(Manifest.decodeFunctions({ functions: { [name]: { image } } }, { scaling }))
  assert(decoded !== undefined)
  return { ...decoded, environment: { PRICE: "$5 ${HOME}" } }
}

const deployment = (...names: ReadonlyArray<string>): Deployment => ({
  functions: names.map((name) => spec(name)),
  routes: names.map((name) => ({
    method: "GET",
    path: `/${name}/{id}`,
    functionName: name as FunctionName,
    authorization: "none"
  }))
})

/** A catalog, and the way to change what it tells. */
interface Subject {
  readonly catalog: (typeof FunctionCatalog)["Service"]
  readonly deploy: (next: Deployment) => Effect.Effect<void>
}

const suite = (name: string, make: (initial: Deployment) => Effect.Effect<Subject, never, Scope.Scope>) =>
  describe(`FunctionCatalog (${name})`, () => {
    const test = (title: string, body: (subject: Subject) => Effect.Effect<void, unknown, Scope.Scope>) =>
      it.live(title, () => Effect.flatMap(make(deployment("hello")), body))

    /** Ends with the first state that has all these functions, each with its route, and no others. */
    const untilDeployed = ({ catalog }: Subject, ...names: ReadonlyArray<string>) =>
      catalog.changes.pipe(
        Stream.filter(
          ({ functions, routes }) =>
            [...functions.keys()].join() === names.join() &&
            routes.routes.map(({ functionName }) => functionName).join() === names.join()
        ),
        Stream.runHead,
        Effect.timeout("5 seconds")
      )

    test("finds a function without a qualifier and as $LATEST", ({ catalog }) =>
      Effect.gen(function* () {
        const hello = "hello" as FunctionName
        assert.deepStrictEqual(yield* catalog.find(hello, undefined), spec("hello"))
        assert.deepStrictEqual(yield* catalog.find(hello, "$LATEST"), spec("hello"))
      }))

    test("does not find another function, version or alias, and says so with the ARN that was meant", ({ catalog }) =>
      Effect.gen(function* () {
        const other = yield* Effect.flip(catalog.find("other" as FunctionName, undefined))
        assert.strictEqual(other._tag, "FunctionNotFound")
        assert.strictEqual(other.functionName, "other")
        assert.match(other.arn, /^arn:aws:lambda:us-east-1:\d{12}:function:other:\$LATEST$/)
        for (const qualifier of ["1", "live", ""]) {
          const { arn } = yield* Effect.flip(catalog.find("hello" as FunctionName, qualifier))
          assert.match(arn, new RegExp(`:function:hello:${qualifier}$`))
        }
      }))

    test("tells functions and routes of one moment", ({ catalog }) =>
      Effect.sync(() => {
        const { functions, routes } = catalog.current()
        assert.deepStrictEqual([...functions.keys()], ["hello"])
        assert.strictEqual(routes.match("GET", "/hello/7")?.route.functionName, "hello")
        assert.deepStrictEqual(routes.routes, deployment("hello").routes)
      }))

    test("tells the current state first and then every later one", (subject) =>
      Effect.gen(function* () {
        const started = yield* Deferred.make<void>()
        const seen = yield* subject.catalog.changes.pipe(
          Stream.tap(() => Deferred.succeed(started, undefined)),
          Stream.map(({ functions }) => [...functions.keys()].join()),
          Stream.takeUntil((names) => names === "last"),
          Stream.runCollect,
          Effect.timeout("5 seconds"),
          Effect.forkChild
        )
        yield* Deferred.await(started)
        yield* subject.deploy(deployment("hello", "second"))
        yield* untilDeployed(subject, "hello", "second")
        yield* subject.deploy(deployment("last"))
        const names = yield* Fiber.join(seen)
        assert.strictEqual(names[0], "hello")
        assert.include(names, "hello,second")
        assert.strictEqual(names.at(-1), "last")
      }))

    test("forgets what is no longer deployed", (subject) =>
      Effect.gen(function* () {
        yield* subject.deploy(deployment("second"))
        yield* untilDeployed(subject, "second")
        const failure = yield* Effect.flip(subject.catalog.find("hello" as FunctionName, undefined))
        assert.strictEqual(failure._tag, "FunctionNotFound")
        assert.isUndefined(subject.catalog.current().routes.match("GET", "/hello/7"))
      }))
  })

suite("memory", (initial) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(MemoryFunctionCatalog.layer(initial))
    const { replace } = Context.get(context, MemoryFunctionCatalog.MemoryDeployment)
    return { catalog: Context.get(context, FunctionCatalog), deploy: replace }
  })
)

suite("files", (initial) =>
  Effect.gen(function* () {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-FunctionCatalog-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const write = (name: string, value: unknown) => {
      const beside = join(directory, `.${name}.next`)
      writeFileSync(beside, escape(stringify(value)))
      renameSync(beside, join(directory, name))
    }
    const deploy = ({ functions, routes }: Deployment) =>
      Effect.sync(() => {
        write("functions.yml", Manifest.encodeFunctions(functions))
        write("routing.yml", Manifest.encodeRoutes(routes))
      })
    yield* deploy(initial)
    const context = yield* Layer.build(
      FileFunctionCatalog.layer({
        functionsPath: join(directory, "functions.yml"),
        routingPath: join(directory, "routing.yml"),
        region: "us-east-1",
        watch: true,
        pollInterval: Duration.seconds(1),
        defaults: scaling,
        variables: { HOME: "/root" }
      }).pipe(Layer.provide(Logger.layer([])))
    )
    return { catalog: Context.get(context, FunctionCatalog), deploy }
  })
)
