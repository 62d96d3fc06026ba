/** A Gateway and an Agent that is told another runtime than runc. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { readFileSync } from "node:fs"
import * as AgentStack from "#test/support/AgentStack"
import type { Environment } from "#test/support/BareServer"
import * as Cli from "#test/support/Cli"
import { type Task, tasks } from "#test/support/ContainerdSamples"
import * as ContainerdStack from "#test/support/ContainerdStack"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as Freezers from "#test/support/Freezers"
import * as FunctionImage from "#test/support/FunctionImage"
import * as Microvm from "#test/support/Microvm"
import * as RuncsPlace from "#test/support/RuncsPlace"

const live = { ...AgentStack.live, timeout: "60 seconds" } as const

interface Way {
  readonly agent: Environment
  readonly gateway?: Environment
  readonly isFrozen?: (task: Task) => boolean
}

const byTheKernel = ({ pid }: Task): boolean => Freezers.isFrozen(pid)

/** Of an emulated processor. */
const patienceSeconds = "60"

/** What a function sees of its kernel, and containerd of its container, which is started, frozen, woken and destroyed on the way. */
const seenBy = Effect.fnUntraced(function* ({ agent: settings, gateway: more = {}, isFrozen = byTheKernel }: Way) {
  const stack = yield* AgentStack.Shared
  const { reference: image } = yield* Effect.promise(() => FunctionImage.archive())
  const agent = yield* stack.agent({ ...(yield* ContainerdStack.settings), AGENT_DATA_PORT: "0", ...settings })
  const functions = { read: { image, handler: "index.read", timeout: 60 } }
  const gateway = yield* stack.gateway([agent.address], {
    functions,
    settings: { PAUSE_IDLE_SECONDS: "1", ...more }
  })
  const version = Effect.map(gateway.call("read", { path: "/proc/version" }), (answer) => {
    assert.strictEqual(answer.status, 200, `${answer.text} ${gateway.stderr()} ${agent.stderr()}`)
    return (answer.json() as { readonly text: string }).text
  })
  const first = yield* version
  const [worker] = yield* tasks
  const containers = yield* (yield* ContainerdWorkers.Machine).ctr("containers", "list")
  yield* eventually("it is frozen", tasks, (all) => all.some(isFrozen), 20_000)
  assert.strictEqual(yield* version, first)
  assert.deepStrictEqual(
    (yield* tasks).map(({ name }) => name),
    [worker?.name]
  )
  yield* gateway.deploy({})
  yield* eventually("it is destroyed", tasks, ({ length }) => length === 0, 20_000)
  return { version: first, containers }
})

describe("an Agent that is told a program for runc's place", needs("containerd", "cni", "runsc"), () => {
  it.layer(
    Layer.merge(AgentStack.layer, ContainerdWorkers.machine()),
    live
  )((it) => {
    it.effect("runs functions on gVisor's kernel", () =>
      Effect.gen(function* () {
        const { version } = yield* seenBy({ agent: { CONTAINERD_RUNTIME_BINARY: RuncsPlace.gVisor() } })
        assert.match(version, /^Linux version 4\.4\.0 /)
      })
    )
  })
})

describe(
  "an Agent whose workers are virtual machines",
  { ...needs("containerd", "cni", "microvm"), timeout: 180_000 },
  () => {
    const machine = Layer.suspend(() => ContainerdWorkers.machine({ shims: [Microvm.shims()] }))

    it.layer(
      Layer.merge(AgentStack.layer, machine),
      live
    )((it) => {
      it.effect("runs functions on the kernel of their own machine, which asks for its calls from inside", () =>
        Effect.gen(function* () {
          const limit = { INIT_TIMEOUT: patienceSeconds }
          const { version } = yield* seenBy({
            agent: { CONTAINERD_RUNTIME: Microvm.runtime, CONTAINERD_SNAPSHOTTER: "overlayfs", ...limit },
            gateway: limit,
            isFrozen: ({ state }) => state === "PAUSED"
          })
          assert.match(version, /^Linux version \S+-cloud-amd64 /)
        })
      )
    })
  }
)

describe("an Agent that is told a runtime", needs("containerd", "cni"), () => {
  it.layer(
    Layer.merge(
      AgentStack.layer,
      Layer.suspend(() =>
        ContainerdWorkers.machine({ shims: [RuncsPlace.shimNamed("containerd-shim-aws-firecracker")] })
      )
    ),
    live
  )((it) => {
    const machines = { CONTAINERD_RUNTIME: "aws.firecracker", CONTAINERD_SNAPSHOTTER: "overlayfs" }

    it.effect("runs functions by aws.firecracker, whatever shim goes by that name", () =>
      Effect.gen(function* () {
        const { containers, version } = yield* seenBy({ agent: machines })
        assert.match(containers, /aws\.firecracker\s*$/)
        assert.strictEqual(version, readFileSync("/proc/version", "utf8"))
      })
    )

    it.effect("does not start with a name that is none, or with what another shim than runc's cannot do", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const given = { ...stack.agentSettings(), ...(yield* ContainerdStack.settings) }
        const start = (settings: Environment) => Cli.runProgram("agent", [], { environment: { ...given, ...settings } })
        const unknown = yield* start({ CONTAINERD_RUNTIME: "runsc" })
        assert.strictEqual(unknown.code, 2)
        assert.include(
          unknown.stderr,
          'CONTAINERD_RUNTIME (--containerd-runtime) is "runsc": expected a name with a dot'
        )
        const asked = { CONTAINERD_RUNTIME_BINARY: "crun", CONTAINERD_SHARED_SHIM: "1" }
        const both = yield* start({ ...machines, ...asked })
        assert.strictEqual(both.code, 2)
        assert.include(both.stderr, "runc's shim starts it, and CONTAINERD_RUNTIME names another: aws.firecracker")
        assert.include(
          both.stderr,
          "CONTAINERD_SHARED_SHIM (--containerd-shared-shim) is set: runc's shim can look after"
        )
      })
    )
  })
})
