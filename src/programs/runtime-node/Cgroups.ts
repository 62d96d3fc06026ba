/** Control groups of the second version, handed on to workers. A machine of the first version needs nothing. */
import { Effect } from "effect"
import * as CgroupDelegation from "#domain/CgroupDelegation"
import { Machine } from "#services/Machine"
import { NodeRefused } from "./NodeRefused.ts"
import type { RuntimeNodeSettings } from "./Settings.ts"

const root = "/sys/fs/cgroup"
const ownGroups = "/proc/self/cgroup"

/** Others may start processes meanwhile. */
const rounds = 3
const roundEvery = "100 millis"

const planOf = (values: RuntimeNodeSettings): CgroupDelegation.DelegationPlan => ({
  root,
  parent: values.cgroupParent,
  leaf: values.cgroupLeaf,
  controllers: CgroupDelegation.controllersIn(values.cgroupControllers)
})

/** One process at a time, as the kernel takes them; one that has ended meanwhile is no failure. */
const move = Effect.fnUntraced(function* (from: string, to: string) {
  const { read, write } = yield* Machine
  for (const pid of CgroupDelegation.pidsIn(yield* read(from))) yield* Effect.ignore(write(to, pid))
})

const handOn = Effect.fnUntraced(function* (plan: CgroupDelegation.DelegationPlan) {
  const { makeDirectory, read, write } = yield* Machine
  const { available, handedOn, leaf, leafMembers, rootMembers, type } = CgroupDelegation.paths(plan)
  const missing = CgroupDelegation.missing(plan, yield* read(available))
  if (missing.length > 0) {
    return yield* new NodeRefused({
      message: `This machine has no controllers ${missing.join(", ")} for control groups, see CGROUP_CONTROLLERS`
    })
  }
  yield* makeDirectory(leaf)
  const kind = (yield* read(type)).trim()
  if (kind !== "domain") {
    return yield* new NodeRefused({
      message: `The control group ${plan.parent} is ${kind}, where workers need domain: name another by CGROUP_PARENT`
    })
  }
  for (let round = 0; round < rounds; round++) {
    if (round > 0) yield* Effect.sleep(roundEvery)
    yield* move(rootMembers, leafMembers)
  }
  for (const path of handedOn) yield* write(path, CgroupDelegation.handOver(plan.controllers))
})

export const delegate = Effect.fn("RuntimeNode.delegateCgroups")(function* (values: RuntimeNodeSettings) {
  if (!values.cgroupDelegation) return
  const { read } = yield* Machine
  const place = CgroupDelegation.placeIn(yield* read(ownGroups))
  if (place === "own root") return yield* handOn(planOf(values))
  if (place === "the machine's") {
    yield* Effect.logWarning(
      "Control groups are not handed on: this container sees the machine's own (an engine with a private cgroup namespace would help)"
    )
  }
})
