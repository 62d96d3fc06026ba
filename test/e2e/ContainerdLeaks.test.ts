/** Containers of containerd come and go, and nothing of them stays: not with containerd, not in the kernel, not in the Agent. */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { ContainerRuntime } from "#services/ContainerRuntime"
import * as AgentStack from "#test/support/AgentStack"
import * as ContainerdStack from "#test/support/ContainerdStack"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as FunctionImage from "#test/support/FunctionImage"
import * as Processes from "#test/support/Processes"
import * as Turnover from "#test/support/Turnover"
import { specOf } from "#test/support/WorkerFunctions"

const linesOf = (text: string, isWanted: (line: string) => boolean): ReadonlyArray<string> =>
  text.split("\n").filter(isWanted)

/** Everything that a worker is made of, by its own name or its network's. */
const traces = Effect.gen(function* () {
  const { bridge, ctr, directory, namespace } = yield* ContainerdWorkers.Machine
  const isOurs = (line: string): boolean => line.includes(`${namespace}-`)
  const filesIn = (path: string) => readdirSync(path, { recursive: true, encoding: "utf8" })
  const [, ...leases] = (yield* ctr("leases", "list")).split("\n")
  return {
    containers: yield* ctr("containers", "list", "--quiet"),
    tasks: yield* ctr("tasks", "list", "--quiet"),
    snapshots: linesOf(yield* ctr("snapshots", "list"), (line) => line.includes("Active")),
    leases,
    shims: Processes.of(directory).filter(({ command }) => command.includes("containerd-shim")),
    namespaces: readdirSync("/run/netns").filter(isOurs),
    interfaces: readdirSync(`/sys/class/net/${bridge}/brif`),
    addresses: filesIn(join(directory, "addresses")).filter((path) => /\/[\d.]+$/.test(path)),
    rules: linesOf(execFileSync("iptables-save", { encoding: "utf8" }), isOurs),
    mounts: linesOf(readFileSync("/proc/self/mounts", "utf8"), isOurs),
    // Of workers by their names, in every hierarchy.
    controlGroups: readdirSync("/sys/fs/cgroup").flatMap((each) => {
      try {
        return filesIn(join("/sys/fs/cgroup", each, namespace)).filter(isOurs)
      } catch {
        // This hierarchy has none of the stack.
        return []
      }
    })
  }
})

const nothing = {
  containers: "",
  tasks: "",
  snapshots: [],
  leases: [],
  shims: [],
  namespaces: [],
  interfaces: [],
  addresses: [],
  rules: [],
  mounts: [],
  controlGroups: []
}

describe(
  "containers of containerd that come and go",
  { ...needs("containerd", "cni", "packet-filter"), timeout: Turnover.limitMs },
  () => {
    it.layer(
      AgentStack.layer,
      AgentStack.live
    )((it) => {
      it.effect(
        "leave no snapshot, lease, namespace, interface, address, rule, shim, control group or open file, whether they are wanted or given up",
        () =>
          Effect.gen(function* () {
            const stack = yield* AgentStack.Shared
            const { directory, namespace } = yield* ContainerdWorkers.Machine
            const { reference: image } = yield* Effect.promise(() => FunctionImage.archive())
            const agent = yield* stack.agent({
              ...(yield* ContainerdStack.settings),
              AGENT_GRPC_TLS_DISABLED: "1",
              WORKER_FENCE: "on"
            })

            // So that these looks are known to see what there is to see.
            const seeAll = Effect.gen(function* () {
              const runtime = yield* ContainerRuntime
              const worker = yield* runtime.ensure(specOf(image, "index.echo"), Turnover.owner)
              const seen = Object.entries(yield* traces).flatMap(([what, found]) => (found.length > 0 ? [what] : []))
              assert.sameMembers(
                seen,
                Object.keys(nothing).filter((what) => what !== "leases")
              )
              yield* runtime.destroy(worker.id, Turnover.owner)
            })
            yield* Turnover.run({
              agent,
              image,
              // A machine with too much to do does not bring everybody to a stand in time.
              visit: ({ id }, n) =>
                n % 7 === 1
                  ? Effect.flatMap(ContainerRuntime, (runtime) => Effect.ignore(runtime.suspend(id, Turnover.owner)))
                  : Effect.void,
              before: seeAll,
              openFiles: () => ({
                agent: Processes.openFiles(agent.pid()).length,
                containerd: Processes.of(directory)
                  .filter(({ command }) => /containerd --config/.test(command))
                  .reduce((sum, { pid }) => sum + Processes.openFiles(pid).length, 0)
              })
            })

            // What was made ahead of workers goes with the Agent, and so do its fence and its control group.
            assert.strictEqual(yield* agent.stop, 0)
            yield* eventually(
              "nothing is left",
              traces,
              (left) => JSON.stringify(left) === JSON.stringify(nothing),
              15_000
            )
            assert.deepStrictEqual(
              readdirSync("/sys/fs/cgroup").filter((each) => {
                try {
                  return readdirSync(join("/sys/fs/cgroup", each)).includes(namespace)
                } catch {
                  return false
                }
              }),
              []
            )
          }).pipe(Effect.scoped, Effect.provide(ContainerdWorkers.machine()))
      )
    })
  }
)
