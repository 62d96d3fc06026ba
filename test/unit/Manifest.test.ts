import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import type { FunctionSpec, Scaling } from "#domain/FunctionSpec"
import * as Manifest from "#domain/Manifest"
import { escape, substitute } from "#domain/ManifestVariables"
import type { Route } from "#domain/Route"
import { parse, stringify } from "yaml"

const scaling: Scaling = { minCapacity: 0, maxCapacity: 10, idleTimeoutMs: 300_000, acquireTimeoutMs: 2_000 }

const functions = (yaml: string, defaults: Manifest.Defaults = { scaling }) =>
  Result.getOrThrow(Manifest.decodeFunctions(parse(yaml), defaults))

const one = (yaml: string, defaults?: Manifest.Defaults): FunctionSpec => {
  const [spec] = functions(yaml, defaults)
  assert(spec !== undefined)
  return spec
}

const refusal = (yaml: string) =>
  Result.getOrThrow(Result.flip(Manifest.decodeFunctions(parse(yaml), { scaling }))).message

const routes = (yaml: string) => Result.getOrThrow(Manifest.decodeRoutes(parse(yaml)))
const routeRefusal = (yaml: string) => Result.getOrThrow(Result.flip(Manifest.decodeRoutes(parse(yaml)))).message

describe("Manifest of functions", () => {
  it("fills in what a function leaves out", () => {
    assert.deepStrictEqual(one("functions: {hello: {image: 'r/esb-hello:1'}}"), {
      name: "hello" as FunctionName,
      image: "r/esb-hello:1",
      runtime: undefined,
      handler: undefined,
      timeoutMs: 300_000,
      memoryMiB: 128,
      environment: {},
      scaling,
      asynchronous: { retries: 2, maxAgeMs: 21_600_000, onSuccess: undefined, onFailure: undefined },
      schedules: []
    })
  })

  it("lays a function over the defaults of its file, and those over the Gateway's", () => {
    const spec = one(`
      defaults:
        environment: {LOG_LEVEL: INFO, TABLE: a, RETRIES: 3}
        scaling: {max_capacity: 4, idle_timeout: 60}
      functions:
        hello:
          image: i
          environment: {TABLE: b, DEBUG: true, EMPTY: }
          scaling: {min_capacity: 1, acquire_timeout: 0.5}
    `)
    assert.deepStrictEqual(spec.environment, { LOG_LEVEL: "INFO", TABLE: "b", RETRIES: "3", DEBUG: "true", EMPTY: "" })
    assert.deepStrictEqual(spec.scaling, {
      minCapacity: 1,
      maxCapacity: 4,
      idleTimeoutMs: 60_000,
      acquireTimeoutMs: 500
    })
  })

  it("lets a minimum above the usual maximum raise it, but not above a written one", () => {
    assert.strictEqual(one("functions: {a: {image: i, scaling: {min_capacity: 20}}}").scaling.maxCapacity, 20)
    assert.strictEqual(
      refusal("functions: {a: {image: i, scaling: {min_capacity: 2, max_capacity: 1}}}"),
      "functions.a.scaling: min_capacity 2 is more than max_capacity 1"
    )
  })

  it("reads our own keys and schedules of either spelling", () => {
    const spec = one(`
      functions:
        hello:
          image: artifact:sha256:${"0".repeat(64)}
          runtime: nodejs24.x
          handler: index.handler
          timeout: 3
          memory_size: 256
          asynchronous: {retries: 0, max_age: 60, on_success: done, on_failure: failed}
          events:
            - schedule: {rate: rate(5 minutes), input: '{"a":1}'}
            - schedule: {expression: cron(0 12 * * ? *), input: {b: 2}}
            - schedule: {rate: rate(1 day)}
    `)
    assert.deepInclude(spec, { runtime: "nodejs24.x", handler: "index.handler", timeoutMs: 3_000, memoryMiB: 256 })
    assert.deepStrictEqual(spec.asynchronous, {
      retries: 0,
      maxAgeMs: 60_000,
      onSuccess: "done" as FunctionName,
      onFailure: "failed" as FunctionName
    })
    assert.deepStrictEqual(spec.schedules, [
      { expression: "rate(5 minutes)", input: `{"a":1}` },
      { expression: "cron(0 12 * * ? *)", input: `{"b":2}` },
      { expression: "rate(1 day)", input: undefined }
    ])
  })

  it("takes a key without a value for a key that is not there", () => {
    assert.deepStrictEqual(functions(""), [])
    assert.deepStrictEqual(functions("defaults:\nfunctions:\n"), [])
    assert.strictEqual(
      one("functions: {a: {image: i, timeout: , environment: , scaling: , events: }}").timeoutMs,
      300_000
    )
  })

  it("names the image of a function that names none, or refuses it", () => {
    const named = one("functions: {a: {}}", { scaling, image: (name) => `registry:5010/esb-${name}:latest` })
    assert.strictEqual(named.image, "registry:5010/esb-a:latest")
    assert.strictEqual(refusal("functions: {a: {}}"), "functions.a.image: missing")
  })

  it("refuses what it does not know, by name and with the way to it", () => {
    assert.include(refusal("function: {}"), "function: unknown key; known are defaults, functions")
    assert.include(
      refusal("functions: {a: {image: i, timeuot: 3}}"),
      "functions.a.timeuot: unknown key; known are image, "
    )
    assert.include(refusal("functions: {a: {image: i, scaling: {max: 3}}}"), "functions.a.scaling.max: unknown key")
    assert.include(
      refusal("functions: {a: {image: i, events: [{sqs: {}}]}}"),
      "functions.a.events.0.sqs: unknown key; known are schedule"
    )
    assert.include(refusal("functions: {a b: {image: i}}"), "functions.a b: not a name that is allowed here")
    assert.include(
      refusal("functions: {a: {image: i, environment: {A-B: c}}}"),
      "functions.a.environment.A-B: not a name"
    )
  })

  it("refuses values of the wrong kind, all of them at once", () => {
    const told = refusal(`
      functions:
        a: {image: 5, timeout: 0, memory_size: 1.5, environment: {A: [1]}, scaling: {max_capacity: -1}}
        b: {image: i, asynchronous: {retries: 3}, events: [{schedule: {input: x}}]}
    `)
    const wrong = [
      "a.image",
      "a.timeout",
      "a.memory_size",
      "a.environment.A",
      "a.scaling.max_capacity",
      "b.asynchronous.retries"
    ]
    for (const path of wrong) assert.include(told, `functions.${path}: Expected`)
    assert.include(told, "functions.b.events.0.schedule: ")
    assert.include(refusal("functions: []"), "functions: Expected")
    assert.include(refusal("- a"), "Expected")
  })
})

describe("Manifest of routes", () => {
  it("reads paths, methods in any case and both spellings of a function", () => {
    const read = routes(`
      routes:
        - {path: "/a/{id}", method: post, function: hello}
        - {path: "/{proxy+}", method: any, function: {container: old}, authorization: none}
        - {path: /b, function: hello, authorization: jwt}
    `)
    assert.deepStrictEqual(read, [
      { path: "/a/{id}", method: "POST", functionName: "hello" as FunctionName, authorization: undefined },
      { path: "/{proxy+}", method: "ANY", functionName: "old" as FunctionName, authorization: "none" },
      { path: "/b", method: "GET", functionName: "hello" as FunctionName, authorization: "jwt" }
    ])
  })

  it("passes over entries without a path, as schedules used to leave them", () => {
    assert.deepStrictEqual(routes(`routes: [{path: "", method: "", function: hello}]`), [])
    assert.deepStrictEqual(routes("routes:"), [])
  })

  it("refuses what cannot be a route", () => {
    assert.strictEqual(routeRefusal("routes: [{path: a, function: f}]"), "routes.0.path: a path begins with /")
    assert.include(
      routeRefusal("routes: [{path: /a, method: FETCH, function: f}]"),
      "routes.0.method: Expected one of GET, "
    )
    assert.strictEqual(routeRefusal("routes: [{path: /a}]"), "routes.0.function: missing")
    assert.include(
      routeRefusal("routes: [{path: /a, function: f, auth: x}]"),
      "routes.0.auth: unknown key; known are path, "
    )
    assert.include(
      routeRefusal("routes: [{path: /a, function: f, authorization: iam}]"),
      "routes.0.authorization: Expected"
    )
  })
})

describe("ManifestVariables", () => {
  const values = { A: "1", B_2: "two", EMPTY: "", MISSING: undefined }

  it("replaces what has a value and leaves the rest as it is", () => {
    assert.strictEqual(substitute("$A ${A} x${B_2}y $B_2. ${EMPTY}|", values), "1 1 xtwoy two. |")
    assert.strictEqual(
      substitute("$MISSING ${NOWHERE} ${toString} $ 5$ ${} ${a-b}", values),
      "$MISSING ${NOWHERE} ${toString} $ 5$ ${} ${a-b}"
    )
    assert.strictEqual(substitute("$$A $$$A $${A}", values), "$A $1 ${A}")
  })

  it.prop(
    "leaves escaped text as it was",
    { text: Schema.String, name: Schema.Literals(["A", "EMPTY"]) },
    ({ text, name }) => {
      const whole = `${text}$${name}\${${name}}$`
      assert.strictEqual(substitute(escape(whole), values), whole)
    }
  )
})

const int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const name = Schema.String.check(Schema.isPattern(/^[a-zA-Z][a-zA-Z0-9-_]{0,9}$/)).pipe(Schema.brand("FunctionName"))

const Spec = Schema.Struct({
  name,
  image: Schema.NonEmptyString,
  runtime: Schema.UndefinedOr(Schema.NonEmptyString),
  handler: Schema.UndefinedOr(Schema.NonEmptyString),
  timeoutMs: int(1, 900_000),
  memoryMiB: int(1, 10_240),
  environment: Schema.Record(Schema.String.check(Schema.isPattern(/^[A-Z]{1,5}$/)), Schema.String),
  scaling: Schema.Struct({
    minCapacity: int(0, 5),
    maxCapacity: int(5, 50),
    idleTimeoutMs: int(0, 10_000_000),
    acquireTimeoutMs: int(0, 10_000)
  }),
  asynchronous: Schema.Struct({
    retries: int(0, 2),
    maxAgeMs: int(0, 21_600_000),
    onSuccess: Schema.UndefinedOr(name),
    onFailure: Schema.UndefinedOr(name)
  }),
  schedules: Schema.Array(
    Schema.Struct({ expression: Schema.NonEmptyString, input: Schema.UndefinedOr(Schema.String) })
  )
})

const RouteLike = Schema.Struct({
  method: Schema.Literals(["GET", "ANY", "HEAD"]),
  path: Schema.Literals(["/", "/a", "/a/{id}", "/{proxy+}"]),
  functionName: name,
  authorization: Schema.UndefinedOr(Schema.Literals(["none", "jwt"]))
})

const byName = (specs: ReadonlyArray<FunctionSpec>) =>
  specs.toSorted((left, right) => (left.name < right.name ? -1 : 1))

/** What a reader of the file gets: written, escaped, replaced, read. */
const throughFile = (value: unknown): unknown => parse(substitute(escape(stringify(value)), { A: "replaced" }))

describe("Manifest, whatever is deployed", () => {
  const specs = Arbitrary.array(Arbitrary.schema(Spec), { maxLength: 3 })

  it.prop("reads the functions it wrote, through a file or not", { specs }, ({ specs }) => {
    const distinct = byName([...new Map(specs.map((spec): [string, FunctionSpec] => [spec.name, spec])).values()])
    const written = Manifest.encodeFunctions(distinct)
    for (const value of [written, throughFile(written)]) {
      const read = Result.getOrThrow(Manifest.decodeFunctions(value, { scaling }))
      assert.deepStrictEqual(byName(read), distinct)
    }
  })

  it.prop("reads the routes it wrote, through a file or not", { given: Schema.Array(RouteLike) }, ({ given }) => {
    const written: ReadonlyArray<Route> = given
    for (const value of [Manifest.encodeRoutes(written), throughFile(Manifest.encodeRoutes(written))]) {
      assert.deepStrictEqual(Result.getOrThrow(Manifest.decodeRoutes(value)), written)
    }
  })
})
