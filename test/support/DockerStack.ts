/** A Gateway and an Agent whose workers are containers, with the functions of the sample `agents` in an image. */
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import * as AgentStack from "./AgentStack.ts"
import * as BaseImages from "./BaseImages.ts"
import { docker } from "./DockerImages.ts"
import { lastingStack } from "./DockerWorkers.ts"
import * as FreePort from "./FreePort.ts"
import * as RunRecorder from "./RunRecorder.ts"

const task = fileURLToPath(new URL("../samples/agents/functions", import.meta.url))

export interface Options {
  readonly base: BaseImages.BaseName
  /** Functions, all with the same code. */
  readonly names: ReadonlyArray<string>
  readonly maxCapacity?: number
  readonly agent?: Readonly<Record<string, string>>
  readonly gateway?: Readonly<Record<string, string>>
}

/** The brand of the stacks of {@link AgentStack}. */
const brand = "agents"

/** `name` → `status` of every container of a stack, those that have ended included. */
export const containersOf = (environment: string) =>
  Effect.map(
    docker("ps", "--all", "--filter", `label=${brand}_env=${environment}`, "--format", "{{.Names}} {{.State}}"),
    (listed) =>
      new Map(listed.split("\n").flatMap((line) => (line === "" ? [] : [line.split(" ") as [string, string]])))
  )

/** Whatever it leaves running goes with the scope. */
export const make = Effect.fnUntraced(function* (options: Options) {
  const stack = yield* AgentStack.Shared
  const environment = yield* lastingStack(brand)
  const image = yield* Effect.promise(() => BaseImages.image(options.base, { task, handler: "calls.work" }))
  const network = `esb-${environment}`
  yield* docker("network", "create", "--opt", "com.docker.network.bridge.enable_icc=false", network)
  const host = yield* docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", network)
  const file = stack.fresh("runs")
  const recorder = yield* RunRecorder.make(host, file)
  const agent = yield* stack.agent({
    ENV: environment,
    AGENT_RUNTIME: "docker",
    CONTAINERS_NETWORK: network,
    IMAGE_PULL_POLICY: "never",
    WORKER_REACH: recorder.at,
    AGENT_DATA_PORT: String(yield* FreePort.find),
    ...options.agent
  })
  const scaling = { max_capacity: options.maxCapacity ?? 4 }
  // Weight follows memory, and other tests may use the machine.
  const weight = { memory_size: 1_024 }
  const entry = { image, handler: "calls.work", timeout: 10, scaling, asynchronous: { retries: 0 }, ...weight }
  const functions = Object.fromEntries(options.names.map((name) => [name, entry]))
  const gateway = yield* stack.gateway([agent.address], { functions, settings: options.gateway ?? {} })
  return { agent, environment, gateway, runs: { file, url: recorder.url } }
})
