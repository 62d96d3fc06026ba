/** An Agent that keeps its workers by another snapshotter than containerd's usual one. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import * as Cli from "#test/support/Cli"
import * as ContainerdStack from "#test/support/ContainerdStack"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import * as DiskKeepers from "#test/support/DiskKeepers"
import type { Disks } from "#test/support/Disks"
import { needs } from "#test/support/Engines"

const live = { ...AgentStack.live, timeout: "60 seconds" } as const

describe("an Agent of virtual machines", needs("containerd", "cni"), () => {
  it.layer(
    Layer.merge(AgentStack.layer, ContainerdWorkers.machine()),
    live
  )((it) => {
    it.effect("does not start where containerd has no devmapper, and says what to do", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const given = { ...stack.agentSettings(), ...(yield* ContainerdStack.settings) }
        const refusal = (settings: Readonly<Record<string, string>>) =>
          Effect.map(
            Cli.runProgram("agent", [], { environment: { ...given, ...settings } }),
            ({ code, stderr, stdout }) => {
              assert.deepStrictEqual([code, stdout], [2, ""])
              return stderr
            }
          )
        const chosen = yield* refusal({ CONTAINERD_RUNTIME: "aws.firecracker" })
        assert.include(chosen, "CONTAINERD_SNAPSHOTTER (--containerd-snapshotter) is not set, which means devmapper")
        assert.include(chosen, "CONTAINERD_RUNTIME=aws.firecracker")
        assert.include(chosen, "devmapper not configured")
        assert.include(chosen, "pool_name")
        assert.match(chosen, /Those that work: .*overlayfs/)
        const named = yield* refusal({ CONTAINERD_SNAPSHOTTER: "nobodys" })
        assert.include(named, 'CONTAINERD_SNAPSHOTTER (--containerd-snapshotter) is "nobodys"')
      })
    )
  })
})

/** The disks are there for as long as the machine is. */
class Disk extends Context.Service<Disk, Disks>()("esb/test/Disk") {}

for (const { kept, make, name, needed, series } of DiskKeepers.everyKeeper("cni")) {
  const machineWithDisks = Layer.unwrap(
    Effect.map(Disk, ({ config }) => ContainerdWorkers.machine({ series, config }))
  ).pipe(Layer.provideMerge(Layer.effect(Disk, make)))
  describe(`an Agent whose workers have disks ${kept}, with ${name}`, needed, () => {
    it.layer(
      Layer.merge(AgentStack.layer, machineWithDisks),
      live
    )((it) => {
      it.effect("answers calls, and finds its workers again after it was stopped", () =>
        Effect.gen(function* () {
          const { ctr } = yield* ContainerdWorkers.Machine
          const { snapshotter } = yield* Disk
          const { agent, say } = yield* ContainerdStack.echoing({ agent: { CONTAINERD_SNAPSHOTTER: snapshotter } })
          yield* say(1)
          const before = yield* ctr("containers", "list", "--quiet")
          assert.include(yield* ctr("snapshots", "--snapshotter", snapshotter, "list"), before)
          assert.strictEqual(yield* agent.stop, 0)
          yield* agent.start()
          yield* say(2)
          assert.strictEqual(yield* ctr("containers", "list", "--quiet"), before, agent.stderr())
        })
      )
    })
  })
}
