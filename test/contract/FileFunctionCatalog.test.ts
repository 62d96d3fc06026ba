import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Logger, type Scope } from "effect"
import { mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { FunctionName } from "#domain/FunctionName"
import * as FileFunctionCatalog from "#layers/files/FileFunctionCatalog"
import { FunctionCatalog } from "#services/FunctionCatalog"

/** A directory with two files, a catalog of them, and everything it said. */
interface Subject {
  readonly directory: string
  readonly names: () => string
  readonly routes: () => string
  readonly imageOf: (name: string) => Effect.Effect<string | undefined>
  /** Errors it logged. */
  readonly complaints: ReadonlyArray<string>
  readonly write: (name: string, text: string) => void
  /** Waits until something holds; the time it took in milliseconds. */
  readonly until: (holds: () => boolean) => Effect.Effect<number, unknown>
}

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-FileFunctionCatalog-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const open = Effect.fnUntraced(function* (
  files: Readonly<Record<string, string>>,
  options: Partial<FileFunctionCatalog.Options> = {}
): Effect.fn.Return<Subject, never, Scope.Scope> {
  const directory = join(yield* temporary, "config")
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text)
  mkdirSync(directory)
  for (const [name, text] of Object.entries(files)) write(name, text)
  const complaints: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
    if (logLevel === "Error") complaints.push(String(message))
  })
  const layer = FileFunctionCatalog.layer({
    functionsPath: join(directory, "functions.yml"),
    routingPath: join(directory, "routing.yml"),
    region: "us-east-1",
    watch: true,
    // Long enough to tell what the system reports from what the clock finds.
    pollInterval: Duration.seconds(30),
    defaults: { minCapacity: 0, maxCapacity: 10, idleTimeoutMs: 300_000, acquireTimeoutMs: 2_000 },
    variables: {},
    ...options
  })
  const catalog = Context.get(yield* Layer.build(layer.pipe(Layer.provide(Logger.layer([logger])))), FunctionCatalog)
  return {
    directory,
    names: () => [...catalog.current().functions.keys()].join(),
    routes: () =>
      catalog
        .current()
        .routes.routes.map(({ path }) => path)
        .join(),
    imageOf: (name) =>
      Effect.orElseSucceed(
        Effect.map(catalog.find(name as FunctionName, undefined), ({ image }) => image),
        () => undefined
      ),
    complaints,
    write,
    until: Effect.fnUntraced(function* (holds: () => boolean) {
      const start = performance.now()
      while (!holds()) {
        if (performance.now() - start > 5_000) return yield* Effect.fail("it never held")
        yield* Effect.sleep("1 millis")
      }
      return performance.now() - start
    })
  }
})

const functions = (...names: ReadonlyArray<string>) =>
  `functions:\n${names.map((name) => `  ${name}:\n    image: ${name}:1\n`).join("")}`
const routing = (path: string, name: string) => `routes:\n  - path: ${path}\n    function: ${name}\n`
const both = { "functions.yml": functions("a"), "routing.yml": routing("/a", "a") }

/** Time for a change that must have no effect. */
const aWhile = Effect.sleep("100 millis")

describe("FileFunctionCatalog", () => {
  it.live("sees each of several writes within one second, soon after it", () =>
    Effect.gen(function* () {
      const subject = yield* open(both)
      yield* Effect.sleep("20 millis")
      const times: Array<number> = []
      for (const name of ["b", "c", "d", "e", "f", "g", "h"]) {
        subject.write("functions.yml", functions(name))
        times.push(yield* subject.until(() => subject.names() === name))
      }
      // The best of them: what else the machine does must not decide.
      assert.isBelow(Math.min(...times), 20, `took ${times.map((time) => time.toFixed(1)).join(", ")} ms`)
    })
  )

  it.live("sees a file replaced by a rename, again and again", () =>
    Effect.gen(function* () {
      const subject = yield* open(both)
      for (const name of ["b", "c", "d"]) {
        subject.write("next", functions(name))
        renameSync(join(subject.directory, "next"), join(subject.directory, "functions.yml"))
        yield* subject.until(() => subject.names() === name)
      }
      assert.deepStrictEqual(subject.complaints, [])
    })
  )

  it.live("reads both files as one state when they are written one right after the other", () =>
    Effect.gen(function* () {
      const subject = yield* open(both)
      const seen = new Set<string>()
      for (const name of ["b", "c", "d", "e"]) {
        subject.write("functions.yml", functions(name))
        subject.write("routing.yml", routing(`/${name}`, name))
        yield* subject.until(() => {
          seen.add(`${subject.names()} ${subject.routes()}`)
          return subject.names() === name
        })
      }
      assert.deepStrictEqual([...seen], ["a /a", "b /b", "c /c", "d /d", "e /e"])
    })
  )

  it.live("does not mistake half a file for a file", () =>
    Effect.gen(function* () {
      const subject = yield* open(both)
      const whole = functions("b", "c")
      for (let end = 1; end <= whole.length; end++) {
        subject.write("functions.yml", whole.slice(0, end))
        if (end % 8 === 0) yield* Effect.sleep("1 millis")
      }
      yield* subject.until(() => subject.names() === "b,c")
      assert.deepStrictEqual(subject.complaints, [])
    })
  )

  it.live("keeps the last good state of both files when one is broken, and says once where", () =>
    Effect.gen(function* () {
      const subject = yield* open(both)
      subject.write("functions.yml", "functions:\n  b:\n    image: b:1\n    timeuot: 3\n")
      subject.write("routing.yml", routing("/b", "b"))
      yield* subject.until(() => subject.complaints.length > 0)
      assert.strictEqual(`${subject.names()} ${subject.routes()}`, "a /a")
      assert.include(subject.complaints[0], "functions.yml:4: functions.b.timeuot: unknown key")
      subject.write("unrelated", "x")
      yield* aWhile
      assert.lengthOf(subject.complaints, 1)

      subject.write("functions.yml", functions("b"))
      yield* subject.until(() => `${subject.names()} ${subject.routes()}` === "b /b")

      subject.write("routing.yml", "routes:\n  - path: /b\n    function: [\n")
      yield* subject.until(() => subject.complaints.length > 1)
      assert.match(subject.complaints[1] ?? "", /routing\.yml:\d: /)
      assert.strictEqual(subject.routes(), "/b")
    })
  )

  it.live("tells everything that is wrong, each with its line", () =>
    Effect.gen(function* () {
      const subject = yield* open({
        "functions.yml":
          "functions:\n  a:\n    image: a\n    timeout: 0\n\n  b: {image: b, scaling: {\n    max: 1}}\n  c: {}\n",
        "routing.yml": "routes:\n  - {path: /a, function: a}\n  - {path: b, function: b}\n"
      })
      const [told = ""] = subject.complaints
      assert.include(told, "functions.yml:4: functions.a.timeout: ")
      assert.include(told, "functions.yml:7: functions.b.scaling.max: unknown key")
      assert.include(told, "routing.yml:3: routes.1.path: a path begins with /")
      subject.write("functions.yml", "functions:\n  a: {image: a}\n  c: {}\n")
      yield* subject.until(() => subject.complaints.length > 1)
      assert.include(subject.complaints[1], "functions.yml:3: functions.c.image: missing")
    })
  )

  it.live("refuses tags nobody knows, keys given twice and values that explode", () =>
    Effect.gen(function* () {
      const subject = yield* open(both)
      const refused = Effect.fnUntraced(function* (text: string, because: string) {
        const before = subject.complaints.length
        subject.write("functions.yml", text)
        yield* subject.until(() => subject.complaints.length > before)
        assert.include(subject.complaints.at(-1), because)
        assert.strictEqual(subject.names(), "a")
      })
      yield* refused("functions:\n  a: {image: !Ref x}\n", "functions.yml:2: Unresolved tag: !Ref")
      yield* refused("functions:\n  a: {image: x}\n  a: {image: y}\n", "functions.yml:3: Map keys must be unique")
      const doubled = Array.from({ length: 12 }, (_, at) => `x${at + 1}: &x${at + 1} [${`*x${at},`.repeat(9)}]`).join(
        "\n"
      )
      yield* refused(`x0: &x0 [y,y,y,y,y,y,y,y,y]\n${doubled}\n`, "Excessive alias count")
    })
  )

  it.live("starts empty without files and finds them when they come, wherever the directory went", () =>
    Effect.gen(function* () {
      const subject = yield* open({}, { pollInterval: Duration.millis(50) })
      assert.strictEqual(subject.names(), "")
      subject.write("functions.yml", functions("a"))
      yield* subject.until(() => subject.names() === "a")

      rmSync(subject.directory, { recursive: true })
      yield* subject.until(() => subject.complaints.length > 0)
      assert.include(subject.complaints[0], "functions.yml is gone")
      assert.strictEqual(subject.names(), "a")

      mkdirSync(subject.directory)
      subject.write("functions.yml", functions("b"))
      yield* subject.until(() => subject.names() === "b")
      yield* aWhile
      // The directory is watched again: this is seen before the clock looks.
      subject.write("functions.yml", functions("c"))
      yield* subject.until(() => subject.names() === "c")
      assert.lengthOf(subject.complaints, 1)
    })
  )

  it.live("says again that a file is gone when it had come back", () =>
    Effect.gen(function* () {
      const subject = yield* open(both)
      yield* Effect.sleep("20 millis")
      for (const round of [1, 2]) {
        unlinkSync(join(subject.directory, "routing.yml"))
        yield* subject.until(() => subject.complaints.length === round)
        subject.write("routing.yml", both["routing.yml"])
        yield* aWhile
      }
      assert.strictEqual(subject.routes(), "/a")
    })
  )

  it.live("reads once when it is told not to watch", () =>
    Effect.gen(function* () {
      const subject = yield* open(both, { watch: false, pollInterval: Duration.millis(1) })
      subject.write("functions.yml", functions("b"))
      yield* aWhile
      assert.strictEqual(subject.names(), "a")
    })
  )

  it.live("finds by the clock what the system does not report", () =>
    Effect.gen(function* () {
      const elsewhere = yield* temporary
      writeFileSync(join(elsewhere, "real.yml"), functions("a"))
      const subject = yield* open({}, { pollInterval: Duration.millis(30), functionsPath: join(elsewhere, "real.yml") })
      assert.strictEqual(subject.names(), "a")
      writeFileSync(join(elsewhere, "real.yml"), functions("b"))
      yield* subject.until(() => subject.names() === "b")
    })
  )

  it.live("replaces variables in functions.yml, LOG_LEVEL being INFO unless it is set", () =>
    Effect.gen(function* () {
      const files = { "functions.yml": 'functions:\n  ${STAGE}-a: {image: "$REGISTRY/a:$$1-${LOG_LEVEL}-$NOBODY"}\n' }
      const plain = yield* open(files, { variables: { STAGE: "dev", REGISTRY: "r:5010" } })
      assert.strictEqual(yield* plain.imageOf("dev-a"), "r:5010/a:$1-INFO-$NOBODY")
      const debug = yield* open(files, { variables: { STAGE: "dev", REGISTRY: "r", LOG_LEVEL: "DEBUG" } })
      assert.strictEqual(yield* debug.imageOf("dev-a"), "r/a:$1-DEBUG-$NOBODY")
    })
  )

  it.live("asks for a last objection before it deploys", () =>
    Effect.gen(function* () {
      const subject = yield* open(both, {
        validate: (specs) => specs.filter(({ name }) => name === "evil").map(({ name }) => `${name} is not wanted`)
      })
      assert.strictEqual(subject.names(), "a")
      subject.write("functions.yml", functions("evil"))
      yield* subject.until(() => subject.complaints.length > 0)
      assert.include(subject.complaints[0], "evil is not wanted")
      assert.strictEqual(subject.names(), "a")
    })
  )
})
