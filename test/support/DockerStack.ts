/** A Gateway and an Agent whose workers are containers, with the functions of the sample `agents` in an image. */
import { Effect } from "effect"
import * as AgentsSample from "./AgentsSample.ts"
import * as AgentStack from "./AgentStack.ts"
import type { Environment } from "./BareServer.ts"
import * as BaseImages from "./BaseImages.ts"
import { docker } from "./DockerImages.ts"
import { lastingStack } from "./DockerWorkers.ts"
import * as FreePort from "./FreePort.ts"
import * as RunRecorder from "./RunRecorder.ts"

/** The brand of the stacks of {@link AgentStack}. */
const brand = "agents"

/** `name` → `status` of every container of a stack, those that have ended included. */
export const containersOf = (environment: string) =>
  Effect.map(
    docker("ps", "--all", "--filter", `label=${brand}_env=${environment}`, "--format", "{{.Names}} {{.State}}"),
    (listed) =>
      new Map(listed.split("\n").flatMap((line) => (line === "" ? [] : [line.split(" ") as [string, string]])))
  )

/** What an Agent of such a stack has to be told. It makes the network of its workers where there is none. */
export const settings = (environment: string): Environment => ({
  ENV: environment,
  AGENT_RUNTIME: "docker",
  CONTAINERS_NETWORK: `esb-${environment}`,
  IMAGE_PULL_POLICY: "never"
})

/** Whatever it leaves running goes with the scope. */
export const make = Effect.fnUntraced(function* (options: AgentsSample.Options) {
  const stack = yield* AgentStack.Shared
  const environment = yield* lastingStack(brand)
  const image = yield* Effect.promise(() => BaseImages.image(options.base, AgentsSample.content))
  const network = `esb-${environment}`
  yield* docker("network", "create", "--opt", "com.docker.network.bridge.enable_icc=false", network)
  const host = yield* docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", network)
  const file = stack.fresh("runs")
  const recorder = yield* RunRecorder.make(host, file)
  const agent = yield* stack.agent({
    ...settings(environment),
    WORKER_REACH: recorder.at,
    AGENT_DATA_PORT: String(yield* FreePort.find),
    ...options.agent
  })
  const functions = AgentsSample.functions(image, options)
  const gateway = yield* stack.gateway([agent.address], { functions, settings: options.gateway ?? {} })
  return { agent, environment, gateway, runs: { file, url: recorder.url } }
})
