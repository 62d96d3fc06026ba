import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import * as Manifest from "#domain/Manifest"
import type { Stack, StackFunction } from "#domain/Stack"
import * as StackManifest from "#programs/esb/StackManifest"

const hello: StackFunction = {
  logicalId: "Hello",
  name: "hello" as FunctionName,
  code: {
    _tag: "Zip",
    codeUri: "src/",
    handler: "app.handler",
    runtime: "nodejs24.x",
    layers: [],
    buildMethod: undefined,
    buildProperties: {}
  },
  timeoutMs: 3000,
  memoryMiB: 128,
  environment: {},
  maxCapacity: undefined,
  minCapacity: undefined,
  asynchronous: {},
  schedules: []
}

const stack = (functions: ReadonlyArray<StackFunction>): Stack => ({
  functions,
  layers: [],
  routes: [{ method: "GET", path: "/hello/{name}", functionName: hello.name, authorization: "none" }],
  tables: [{ TableName: "orders" }],
  buckets: [],
  warnings: []
})

const images = new Map([["hello", "artifact:sha256:00"]])

const defaults = { scaling: { minCapacity: 0, maxCapacity: 10, idleTimeoutMs: 300_000, acquireTimeoutMs: 2000 } }

describe("StackManifest", () => {
  it("leaves to the Gateway what the template leaves open", () => {
    const { functions } = StackManifest.make(stack([hello]), images)
    assert.deepStrictEqual(functions, {
      functions: {
        hello: {
          image: "artifact:sha256:00",
          runtime: "nodejs24.x",
          handler: "app.handler",
          timeout: 3,
          memory_size: 128
        }
      }
    })
  })

  it("lets Node go by the source maps that were asked for, unless the function has options of its own", () => {
    const mapped: StackFunction = {
      ...hello,
      code: { ...(hello.code as Extract<StackFunction["code"], { _tag: "Zip" }>), buildProperties: { Sourcemap: true } }
    }
    const environmentOf = (each: StackFunction) =>
      StackManifest.make(stack([each]), images).functions.functions["hello"]?.environment
    assert.deepStrictEqual(environmentOf(mapped), { NODE_OPTIONS: "--enable-source-maps" })
    const own = { NODE_OPTIONS: "--no-warnings" }
    assert.deepStrictEqual(environmentOf({ ...mapped, environment: own }), own)
  })

  it("is understood by those who read functions.yml and routing.yml", () => {
    const full: StackFunction = {
      ...hello,
      timeoutMs: 1500,
      environment: { PRICE: "$5" },
      maxCapacity: 3,
      minCapacity: 1,
      asynchronous: { retries: 1, maxAgeMs: 60_000, onFailure: "failed" as FunctionName },
      schedules: [
        { expression: "rate(1 minute)", input: '{"a":1}' },
        { expression: "cron(0 12 * * ? *)", input: undefined }
      ]
    }
    const made = StackManifest.make(stack([full]), images)
    const [spec] = Result.getOrThrow(Manifest.decodeFunctions(made.functions, defaults))
    assert.deepStrictEqual(spec, {
      name: full.name,
      image: "artifact:sha256:00",
      runtime: "nodejs24.x",
      handler: "app.handler",
      timeoutMs: 1500,
      memoryMiB: 128,
      environment: { PRICE: "$5" },
      scaling: { ...defaults.scaling, minCapacity: 1, maxCapacity: 3 },
      asynchronous: { retries: 1, maxAgeMs: 60_000, onSuccess: undefined, onFailure: "failed" as FunctionName },
      schedules: full.schedules
    })
    assert.deepStrictEqual(Result.getOrThrow(Manifest.decodeRoutes(made.routing)), stack([]).routes)
  })

  it("hands tables and buckets on as the template's reader spells them", () => {
    const { resources } = StackManifest.make(stack([]), images)
    assert.deepStrictEqual(resources, { resources: { dynamodb: [{ TableName: "orders" }], s3: [] } })
  })
})
