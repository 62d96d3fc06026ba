/** Workers of the sample functions on a containerd of the test's own, and what is left of them. */
import { Effect } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import type { Worker, WorkerSpec } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as ContainerdWorkers from "./ContainerdWorkers.ts"
import * as FunctionImage from "./FunctionImage.ts"
import { mine } from "./LentWorkers.ts"
import { type Asked, specOf } from "./WorkerFunctions.ts"

export { mine }

export const functionNamed = (handler: string, asked?: Asked) =>
  Effect.map(
    Effect.promise(() => FunctionImage.archive()),
    ({ reference }) => specOf(reference, `index.${handler}`, asked)
  )

/** Ready, and left to whoever comes next. */
export const started = Effect.fnUntraced(function* (spec: WorkerSpec) {
  const runtime = yield* ContainerRuntime
  const client = yield* WorkerClient
  const worker = yield* runtime.ensure(spec, mine)
  yield* client.ready(worker)
  return worker
})

export const listed = Effect.flatMap(ContainerRuntime, (runtime) => runtime.list(mine))

export interface Task {
  readonly name: string
  readonly pid: number
  /** As containerd has it. */
  readonly state: string
}

export const tasks = Effect.flatMap(ContainerdWorkers.Machine, ({ ctr }) =>
  Effect.map(ctr("tasks", "list"), (text): ReadonlyArray<Task> =>
    text
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .map(([name = "", pid = "", state = ""]) => ({ name, pid: Number(pid), state }))
  )
)

export const taskOf = ({ name }: Pick<Worker, "name">) =>
  Effect.flatMap(tasks, (all) => {
    const found = all.find((task) => task.name === name)
    return found === undefined ? Effect.die(new Error(`containerd has no task ${name}`)) : Effect.succeed(found)
  })

/** Names of everything that containers of a machine are made of. */
export const left = Effect.gen(function* () {
  const { ctr, directory } = yield* ContainerdWorkers.Machine
  const filesIn = (path: string) => readdirSync(join(directory, path), { recursive: true, encoding: "utf8" })
  const snapshots = (yield* ctr("snapshots", "list")).split("\n").filter((line) => line.includes("Active"))
  return {
    containers: yield* ctr("containers", "list", "--quiet"),
    tasks: yield* ctr("tasks", "list", "--quiet"),
    leases: yield* ctr("leases", "list", "--quiet"),
    snapshots,
    pipes: filesIn("stack/output")
  }
})

export const nothing = { containers: "", tasks: "", leases: "", snapshots: [], pipes: [] }
