import { assert, describe, it } from "@effect/vitest"
import { Scope } from "effect"
import { none } from "#domain/ContainerExtensions"
import { FunctionName } from "#domain/FunctionName"
import * as HeldContainer from "#domain/HeldContainer"
import { ContainerId, OwnerId, type Protocol } from "#domain/Worker"
import * as WorkerExit from "#domain/WorkerExit"

const name = "esb-test-hello-0000beef"
const ended = { status: WorkerExit.ofCode(3, false), code: 3, atUnixSeconds: 40 }
const usage = { memoryBytes: 5, oomEvents: 0, cpuNanoseconds: 7 }

const made = (protocol: Protocol = "runtime-api", exit: typeof ended | undefined = undefined) => ({
  worker: {
    id: ContainerId.make(name),
    name,
    functionName: FunctionName.make("hello"),
    owner: OwnerId.make("mine"),
    specHash: "5ec",
    protocol,
    address: { host: "127.0.0.1", port: 1 },
    createdAtUnixSeconds: 10
  },
  container: { exit },
  extensions: none,
  memoryLimitBytes: 1_024,
  timeoutMs: 3_000,
  scope: Scope.makeUnsafe()
})

describe("a worker that is held in a container", () => {
  it("is in nobody's use when it has just been made", () => {
    const held = HeldContainer.make(made())
    assert.deepInclude(held, { isPaused: false, isFrozen: false, mayBeInCallUntilUnixMs: 0, lastUsedAtUnixSeconds: 10 })
    assert.deepInclude(HeldContainer.stateOf(held, "idle", undefined), {
      name,
      status: "RUNNING",
      phase: "idle",
      lastUsedAtUnixSeconds: 10
    })
  })

  it("was last used when its owner said so, or when it was last called", () => {
    const held = Object.assign(HeldContainer.make(made()), HeldContainer.usedAt(made(), 20_500))
    assert.deepInclude(held, { lastUsedAtUnixSeconds: 20, mayBeInCallUntilUnixMs: 23_500 })
    assert.strictEqual(HeldContainer.stateOf(held, "idle", 15_000).lastUsedAtUnixSeconds, 20)
    assert.strictEqual(HeldContainer.stateOf(held, "idle", 30_000).lastUsedAtUnixSeconds, 30)
  })

  it("of an earlier run stands as its owner left it, although it runs, and may be in a call", () => {
    const held = HeldContainer.takenOver(made("rie"), true, 20_000)
    assert.deepInclude(held, { isPaused: true, isFrozen: false })
    assert.strictEqual(HeldContainer.statusOf(held), "PAUSED")
    held.isPaused = false
    assert.strictEqual(HeldContainer.phaseOf(held, undefined, 22_999), "busy")
    assert.strictEqual(HeldContainer.phaseOf(held, undefined, 23_000), "idle")
  })

  it("is in the phase that its door knows, and spoilt where there is no door", () => {
    const held = HeldContainer.make(made())
    assert.strictEqual(HeldContainer.phaseOf(held, "init", 0), "init")
    assert.strictEqual(HeldContainer.phaseOf(held, undefined, 0), "dirty")
    assert.strictEqual(HeldContainer.phaseOf(HeldContainer.make(made("runtime-api", ended)), "idle", 0), "dirty")
  })

  it("is useless once it has ended, or when its owner is gone, but not in the middle of a call", () => {
    const [nobody, everybody] = [() => false, () => true]
    const held = HeldContainer.make(made())
    assert.isFalse(HeldContainer.isUseless(held, "idle", nobody))
    assert.isTrue(HeldContainer.isUseless(held, "idle", everybody))
    assert.isFalse(HeldContainer.isUseless(held, "busy", everybody))
    assert.isTrue(HeldContainer.isUseless(HeldContainer.make(made("runtime-api", ended)), "dirty", nobody))
  })

  it("is measured, and its end is told with what it used", () => {
    const told = { containerId: ContainerId.make(name), functionName: FunctionName.make("hello"), containerName: name }
    assert.deepStrictEqual(HeldContainer.metricsOf(HeldContainer.make(made()), usage, false, 50_999), {
      ...told,
      ...usage,
      status: "RUNNING",
      memoryLimitBytes: 1_024,
      exitCode: 0,
      exitedAtUnixSeconds: 0,
      collectedAtUnixSeconds: 50
    })
    assert.deepInclude(HeldContainer.metricsOf(HeldContainer.make(made("runtime-api", ended)), usage, true, 50_000), {
      status: "STOPPED",
      oomEvents: 1,
      exitCode: 3,
      exitedAtUnixSeconds: 40
    })
  })
})
