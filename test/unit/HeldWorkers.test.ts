import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { FunctionName } from "#domain/FunctionName"
import { ContainerId, type ContainerState, OwnerId } from "#domain/Worker"
import type { AgentLink } from "#layers/grpc/client/AgentLink"
import { HeldWorkers } from "#layers/grpc/client/HeldWorkers"

const agentAt = (address: string): AgentLink => ({
  address,
  isReachable: () => true,
  call: () => Effect.die("nobody calls here"),
  renew: () => undefined
})
const [near, far] = [agentAt("near:50051"), agentAt("far:50051")]
const mine = OwnerId.make("mine")
const theirs = OwnerId.make("theirs")
const id = ContainerId.make("one")

const state = (changed: Partial<ContainerState> = {}): ContainerState => ({
  id,
  name: "one",
  functionName: FunctionName.make("orders"),
  owner: mine,
  specHash: "",
  protocol: "runtime-api",
  address: { host: "127.0.0.1", port: 0 },
  createdAtUnixSeconds: 0,
  status: "RUNNING",
  phase: "idle",
  lastUsedAtUnixSeconds: 0,
  ...changed
})

it("a worker that nobody has spoken of may be useful, and is on no Agent", () => {
  const held = new HeldWorkers()
  assert.isTrue(held.mayBeUseful(id))
  assert.isUndefined(held.agentOf(id))
})

it("a list shows workers, where they are, and which of them are gone since the last", () => {
  const held = new HeldWorkers()
  held.listed(near, mine, held.moment(), [state()])
  assert.strictEqual(held.agentOf(id), near)
  assert.strictEqual(held.countOf(near), 1)
  held.listed(near, mine, held.moment(), [])
  assert.isFalse(held.mayBeUseful(id))
  assert.isUndefined(held.agentOf(id))
  assert.strictEqual(held.countOf(near), 0)
})

it("the list of another owner, or of another Agent, takes nothing away", () => {
  const held = new HeldWorkers()
  held.started(id, mine, near)
  held.listed(near, theirs, held.moment(), [])
  held.listed(far, mine, held.moment(), [])
  assert.isTrue(held.mayBeUseful(id))
})

it("a list knows nothing of what happened after it was asked for", () => {
  const held = new HeldWorkers()
  const askedAt = held.moment()
  held.started(id, mine, near)
  held.listed(near, mine, askedAt, [])
  assert.isTrue(held.mayBeUseful(id))
  const askedAgainAt = held.moment()
  held.ended(id)
  held.listed(near, mine, askedAgainAt, [state()])
  assert.isFalse(held.mayBeUseful(id))
  assert.isUndefined(held.agentOf(id))
})

it("a worker that is stopped, dirty or spoilt is of no use, and never again", () => {
  for (const end of [{ status: "STOPPED" as const }, { phase: "dirty" as const }]) {
    const held = new HeldWorkers()
    held.listed(near, mine, held.moment(), [state(end)])
    held.listed(near, mine, held.moment(), [state()])
    assert.isFalse(held.mayBeUseful(id))
  }
  const held = new HeldWorkers()
  held.started(id, mine, near)
  held.spoilt(id)
  held.listed(near, mine, held.moment(), [state()])
  assert.isFalse(held.mayBeUseful(id))
  assert.strictEqual(held.agentOf(id), near)
})

it("a worker that a later list shows again is there again", () => {
  const held = new HeldWorkers()
  held.ended(id)
  held.listed(near, mine, held.moment(), [state()])
  assert.isTrue(held.mayBeUseful(id))
})

it("those that are gone are not remembered without end", () => {
  const held = new HeldWorkers()
  held.ended(id)
  for (let n = 0; n < 10_000; n += 1) held.ended(ContainerId.make(`later-${n}`))
  assert.isTrue(held.mayBeUseful(id))
  assert.isFalse(held.mayBeUseful(ContainerId.make("later-0")))
})
