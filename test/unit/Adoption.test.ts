import { assert, describe, it } from "@effect/vitest"
import { verdict } from "#domain/Adoption"
import type { FunctionName } from "#domain/FunctionName"
import type { ContainerId, ContainerState, ContainerStatus, OwnerId, Phase } from "#domain/Worker"

const found = (status: ContainerStatus, phase: Phase, specHash = "v1"): ContainerState => ({
  id: "a" as ContainerId,
  name: "a",
  functionName: "orders" as FunctionName,
  owner: "me" as OwnerId,
  specHash,
  protocol: "runtime-api",
  address: { host: "127.0.0.1", port: 1 },
  createdAtUnixSeconds: 0,
  status,
  phase,
  lastUsedAtUnixSeconds: 0
})

const phases: ReadonlyArray<Phase> = ["init", "idle", "busy", "dirty"]

describe("Adoption", () => {
  it("takes over a worker that waits for a call, frozen or not", () => {
    assert.strictEqual(verdict(found("RUNNING", "idle"), "v1"), "adopt")
    assert.strictEqual(verdict(found("PAUSED", "idle"), "v1"), "adopt")
  })

  it("waits for a worker that is not ready yet, unless it is outdated", () => {
    assert.strictEqual(verdict(found("RUNNING", "init"), "v1"), "wait")
    assert.strictEqual(verdict(found("RUNNING", "init"), "v2"), "destroy")
  })

  it("never cuts a call, whatever runs it", () => {
    for (const wanted of ["v1", "v2", undefined]) {
      assert.strictEqual(verdict(found("RUNNING", "busy"), wanted), "wait")
    }
  })

  it("has no place for an outdated worker, nor for one whose function is gone", () => {
    assert.strictEqual(verdict(found("RUNNING", "idle"), "v2"), "destroy")
    assert.strictEqual(verdict(found("PAUSED", "idle"), undefined), "destroy")
  })

  it("has no place for a worker whose engine does not know what it runs", () => {
    assert.strictEqual(verdict(found("RUNNING", "idle", ""), "v1"), "destroy")
  })

  it("has no place for a worker that is spoilt, has ended, or is in a state nobody knows", () => {
    for (const phase of phases) {
      assert.strictEqual(verdict(found("STOPPED", phase), "v1"), "destroy")
      assert.strictEqual(verdict(found("UNKNOWN", phase), "v1"), "destroy")
    }
    assert.strictEqual(verdict(found("RUNNING", "dirty"), "v1"), "destroy")
    assert.strictEqual(verdict(found("PAUSED", "dirty"), "v1"), "destroy")
  })
})
