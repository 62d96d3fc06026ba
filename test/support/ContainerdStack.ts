/** A Gateway and an Agent whose workers are containers of a containerd of their own, with the functions of the sample `agents` in an image. */
import { assert } from "@effect/vitest"
import { join } from "node:path"
import { Effect } from "effect"
import * as AgentsSample from "./AgentsSample.ts"
import * as AgentStack from "./AgentStack.ts"
import * as BaseImages from "./BaseImages.ts"
import type { Environment } from "./BareServer.ts"
import { tasks } from "./ContainerdSamples.ts"
import { Machine } from "./ContainerdWorkers.ts"
import { pathOf } from "./Engines.ts"
import * as FreePort from "./FreePort.ts"
import * as FunctionImage from "./FunctionImage.ts"
import * as RunRecorder from "./RunRecorder.ts"

/** What an Agent of the machine has to be told. */
export const settings = Effect.map(Machine, ({ bridge, directory, namespace, socket, stack, subnet }): Environment => ({
  ENV: stack,
  ESB_BRAND_SLUG: namespace,
  AGENT_RUNTIME: "containerd",
  CONTAINERD_SOCKET: socket,
  CNI_BIN_DIR: pathOf("cni"),
  CNI_CONF_DIR: join(directory, "net.d"),
  CNI_NET_DIR: join(directory, "addresses"),
  CNI_SUBNET: subnet,
  CNI_BRIDGE: bridge,
  IMAGE_PULL_POLICY: "never"
}))

/** Names of the tasks that run. */
export const running = Effect.map(tasks, (all) => all.flatMap(({ name, state }) => (state === "RUNNING" ? [name] : [])))

/** The machine's address in the workers' network. */
export const gateway = Effect.map(Machine, ({ subnet }) => subnet.replace(/\d+\/\d+$/, "1"))

export const make = Effect.fnUntraced(function* (options: AgentsSample.Options) {
  const stack = yield* AgentStack.Shared
  const machine = yield* Machine
  const { path, reference: image } = yield* Effect.promise(() => BaseImages.archive(options.base, AgentsSample.content))
  yield* machine.ctr("images", "import", path)
  const agent = yield* stack.agent({
    ...(yield* settings),
    AGENT_DATA_PORT: String(yield* FreePort.find),
    ...options.agent
  })
  const file = stack.fresh("runs")
  // The Agent has made the bridge whose address this is.
  const recorder = yield* RunRecorder.make(yield* gateway, file)
  const functions = AgentsSample.functions(image, options)
  const asked = yield* stack.gateway([agent.address], { functions, settings: options.gateway ?? {} })
  return { agent, gateway: asked, runs: { file, url: recorder.url }, image }
})

/** With the one function `echo`, of the image that the machine has. */
export const echoing = Effect.fnUntraced(function* (options: Pick<AgentsSample.Options, "agent" | "gateway"> = {}) {
  const stack = yield* AgentStack.Shared
  const { reference: image } = yield* Effect.promise(() => FunctionImage.archive())
  const agent = yield* stack.agent({
    ...(yield* settings),
    AGENT_DATA_PORT: String(yield* FreePort.find),
    ...options.agent
  })
  const gateway = yield* stack.gateway([agent.address], {
    functions: { echo: { image, handler: "index.echo", timeout: 10 } },
    settings: options.gateway ?? {}
  })
  const say = (n: number) =>
    Effect.map(gateway.call("echo", { n }), (answer) => {
      assert.strictEqual(answer.status, 200, `${answer.text} ${gateway.stderr()} ${agent.stderr()}`)
      assert.deepStrictEqual(answer.json(), { n })
    })
  return { agent, gateway, say }
})
