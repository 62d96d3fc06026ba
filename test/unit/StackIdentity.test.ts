import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { FunctionName } from "#domain/FunctionName"
import * as StackIdentity from "#domain/StackIdentity"
import { OwnerId } from "#domain/Worker"
import * as WorkerName from "#domain/WorkerName"

const sources = (given: Partial<StackIdentity.BrandSources>): StackIdentity.BrandSources => ({
  brandSlug: undefined,
  projectName: undefined,
  network: undefined,
  ...given
})

const brandOf = (given: Partial<StackIdentity.BrandSources>, environment: string) =>
  Result.getOrThrow(StackIdentity.resolve(sources(given), environment)).brand

describe("the identity of a stack", () => {
  it("takes its brand from the slug before the project before the network", () => {
    assert.strictEqual(brandOf({ brandSlug: "Acme Core!", projectName: "other", network: "third" }, "dev"), "acme-core")
    assert.strictEqual(brandOf({ brandSlug: "--", projectName: "other", network: "third" }, "dev"), "other")
    assert.strictEqual(brandOf({ network: "third" }, "dev"), "third")
  })

  it("leaves the environment out of a project's name, and only once", () => {
    assert.strictEqual(brandOf({ projectName: "esb-e2e-docker" }, "e2e-docker"), "esb")
    assert.strictEqual(brandOf({ projectName: "esb_DEV-dev" }, "Dev"), "esb-dev")
    assert.strictEqual(brandOf({ projectName: "-dev" }, "dev"), "dev")
  })

  it("leaves `external` and the environment out of a network's name", () => {
    assert.strictEqual(brandOf({ network: "acme_dev-external" }, "dev"), "acme")
    assert.strictEqual(brandOf({ network: "acme_external" }, "dev"), "acme")
  })

  it.each(["bridge", "host", "none"])("does not take the engine's own network %s for a brand", (network) => {
    assert.isTrue(Result.isFailure(StackIdentity.resolve(sources({ network }), "dev")))
  })

  it("is refused without a brand or without an environment, in a sentence that names the variable", () => {
    const unbranded = StackIdentity.resolve(sources({ projectName: "…" }), "dev")
    assert.match(Result.isFailure(unbranded) ? unbranded.failure.message : "", /ESB_BRAND_SLUG/)
    const nowhere = StackIdentity.resolve(sources({ brandSlug: "esb" }), "  ")
    assert.match(Result.isFailure(nowhere) ? nowhere.failure.message : "", /ENV/)
  })

  it("names the labels and the prefix of a brand's variables", () => {
    const identity = { brand: "acme-core", environment: "dev" }
    assert.strictEqual(StackIdentity.environmentPrefix(identity), "ACME_CORE")
    const labels = StackIdentity.workerLabels(identity, {
      functionName: FunctionName.make("orders"),
      owner: OwnerId.make("gateway-1"),
      specHash: "abc"
    })
    assert.deepStrictEqual(labels, {
      created_by: "acme-core-agent",
      "acme-core_env": "dev",
      "acme-core_function": "orders",
      "com.acme-core.kind": "function",
      "com.acme-core.owner": "gateway-1",
      "com.acme-core.spec": "abc"
    })
  })
})

describe("the name of a worker", () => {
  const random = Uint8Array.of(0x1a, 0x2b, 0x3c, 0x4d)

  it("is brand, environment, function and eight hexadecimal digits", () => {
    const identity = { brand: "esb", environment: "e2e-docker" }
    const name = WorkerName.make(identity, FunctionName.make("lambda-echo"), random)
    assert.strictEqual(name, "esb-e2e-docker-lambda-echo-1a2b3c4d")
  })

  it("keeps its random part when the function's name is too long for an engine", () => {
    const identity = { brand: "esb", environment: "production-europe" }
    const name = WorkerName.make(identity, FunctionName.make("f".repeat(64)), random)
    assert.strictEqual(name.length, WorkerName.longestName)
    assert.match(name, /^esb-production-europe-f+-1a2b3c4d$/)
  })

  it("is known as the stack's by its beginning and its end", () => {
    const identity = { brand: "esb", environment: "e2e" }
    const isOurs = (name: string) => WorkerName.isOf(identity, name)
    assert.isTrue(isOurs("esb-e2e-lambda-echo-1a2b3c4d"))
    assert.isFalse(isOurs("esb-dev-lambda-echo-1a2b3c4d"))
    assert.isFalse(isOurs("acme-esb-e2e-echo-1a2b3c4d"))
    assert.isFalse(isOurs("esb-e2e-database"))
    // Of another stack, whose names cannot be told from this one's.
    assert.isTrue(isOurs("esb-e2e-docker-echo-1a2b3c4d"))
    const long = { brand: "esb", environment: "e".repeat(80) }
    assert.isTrue(WorkerName.isOf(long, WorkerName.make(long, FunctionName.make("echo"), random)))
  })
})
