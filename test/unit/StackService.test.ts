import { assert, describe, it } from "@effect/vitest"
import { readiness, type StackService } from "#domain/StackService"

const service = (change: Partial<StackService>): StackService => ({
  name: "gateway",
  container: "esb-gateway",
  image: "esb-gateway:latest",
  state: "running",
  health: "none",
  exitCode: undefined,
  endedAtUnixMs: undefined,
  restarts: 0,
  ...change
})

const told = (change: Partial<StackService>, unchangedMs = 1000, restartsAtFirst = 0) => {
  const is = readiness(service(change), { unchangedMs, restartsAtFirst })
  return is._tag === "Failed" ? is.problem : is._tag
}

describe("a service of a stack", () => {
  it("is ready when it runs and its health check, if it has one, passes", () => {
    assert.strictEqual(told({}), "Ready")
    assert.strictEqual(told({}, 999), "Waiting", "it may end at once")
    assert.strictEqual(told({ health: "healthy" }, 0), "Ready")
    assert.strictEqual(told({ health: "starting" }), "Waiting")
    assert.strictEqual(told({ state: "created" }), "Waiting")
    assert.strictEqual(told({ state: "restarting" }), "Waiting")
    assert.strictEqual(told({ state: "paused", health: "healthy" }), "Waiting")
  })

  it("is ready when it was a task that is done, and has failed when it ended otherwise", () => {
    assert.strictEqual(told({ state: "exited", exitCode: 0 }), "Ready")
    assert.strictEqual(told({ state: "exited", exitCode: 3 }), "ended with code 3")
    assert.strictEqual(told({ state: "exited", exitCode: 0, health: "unhealthy" }), "ended with code 0")
    assert.strictEqual(told({ state: "dead" }), "ended with code unknown")
  })

  it("may be unhealthy for a moment, and end twice, but not more", () => {
    assert.strictEqual(told({ health: "unhealthy" }, 14_999), "Waiting")
    assert.strictEqual(told({ health: "unhealthy" }, 15_000), "is unhealthy")
    assert.strictEqual(told({ restarts: 2 }), "Ready")
    assert.strictEqual(told({ restarts: 3 }), "was started again 3 times")
    assert.strictEqual(told({ restarts: 40 }, 1000, 38), "Ready")
  })
})
