/** A Gateway and an Agent whose workers are containers of a Docker Engine, from an image in `functions.yml`. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { Effect } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import { programAt } from "#test/support/Cli"
import { docker } from "#test/support/DockerImages"
import * as DockerStack from "#test/support/DockerStack"
import { lastingStack } from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as FreePort from "#test/support/FreePort"
import * as FunctionImage from "#test/support/FunctionImage"

/** `name status` of every container of a stack. */
const containersOf = (environment: string) =>
  Effect.map(
    docker("ps", "--all", "--filter", `label=agents_env=${environment}`, "--format", "{{.Names}} {{.Status}}"),
    (listed) => listed.split("\n").filter((line) => line !== "")
  )

const inContainers = Effect.gen(function* () {
  const stack = yield* AgentStack.Shared
  const environment = yield* lastingStack("agents")
  const image = yield* Effect.promise(() => FunctionImage.reference())
  const agent = yield* stack.agent({
    ...DockerStack.settings(environment),
    AGENT_DATA_PORT: String(yield* FreePort.find)
  })
  const echo = { image, handler: "index.echo", timeout: 10 }
  const functions = { echo, lost: { ...echo, image: "esb-test/nobody-has-this:1" } }
  const gateway = yield* stack.gateway([agent.address], { functions, settings: { PAUSE_IDLE_SECONDS: "1" } })
  return { agent, environment, gateway }
})

/** What an Agent says that cannot start with these settings, and its exit code. */
const refusal = Effect.fnUntraced(function* (settings: Readonly<Record<string, string>>) {
  const stack = yield* AgentStack.Shared
  const env = { PATH: process.env["PATH"] ?? "", ...stack.agentSettings(), AGENT_RUNTIME: "docker", ...settings }
  const { status, stderr } = spawnSync(process.execPath, [programAt("agent")], { env, encoding: "utf8" })
  return { status, stderr }
})

describe("an Agent with a Docker Engine", needs("docker"), () => {
  it.layer(
    AgentStack.layer,
    AgentStack.live
  )((it) => {
    it.effect("starts, freezes, wakes and replaces containers, and finds them again after it was stopped", () =>
      Effect.gen(function* () {
        const { agent, environment, gateway } = yield* inContainers
        const say = (n: number) =>
          Effect.map(gateway.call("echo", { n }), (answer) => {
            assert.strictEqual(answer.status, 200, `${answer.text} ${gateway.stderr()} ${agent.stderr()}`)
            assert.deepStrictEqual(answer.json(), { n })
          })
        yield* say(1)
        const [first = ""] = yield* containersOf(environment)
        assert.match(first, new RegExp(`^agents-${environment}-echo-[0-9a-f]{8} Up`))

        yield* eventually("it is frozen", containersOf(environment), ([seen]) => seen?.endsWith("(Paused)") === true)
        yield* say(2)

        const [name = ""] = first.split(" ")
        yield* docker("kill", name)
        yield* eventually("it is missed", containersOf(environment), ([seen]) => seen?.includes("Up") !== true)
        yield* say(3)

        const refused = yield* gateway.call("lost", {})
        assert.strictEqual(refused.status, 502)
        assert.include(refused.text, "esb-test/nobody-has-this:1")

        const [second = ""] = yield* containersOf(environment)
        assert.strictEqual(yield* agent.stop, 0)
        const [left = ""] = yield* containersOf(environment)
        assert.match(left, /^\S+ Up /)
        yield* agent.start()
        // Whether or not the Gateway has noticed that its Agent was away.
        yield* eventually("calls are answered", gateway.call("echo", {}), ({ status }) => status === 200, 20_000)
        yield* say(4)
        const names = (yield* containersOf(environment)).map((line) => line.split(" ")[0])
        // A Gateway that could not wake it while the Agent was away has started another beside it.
        assert.include(names, second.split(" ")[0], `${agent.stderr()} ${gateway.stderr()}`)
        assert.include(agent.stderr(), "Of 1 workers of an earlier run 1 are taken over")
      })
    )

    it.effect("tells before it starts what it lacks", () =>
      Effect.gen(function* () {
        const nameless = yield* refusal({})
        assert.strictEqual(nameless.status, 2)
        assert.include(nameless.stderr, "CONTAINERS_NETWORK")

        const CONTAINERS_NETWORK = "esb-nobody"
        const nowhere = yield* refusal({ CONTAINERS_NETWORK, DOCKER_HOST: "ssh://somewhere" })
        assert.strictEqual(nowhere.status, 2)
        assert.include(nowhere.stderr, "DOCKER_HOST")

        const half = yield* refusal({ CONTAINERS_NETWORK, CONTAINER_REGISTRY_USER: "reader" })
        assert.strictEqual(half.status, 2)
        assert.include(half.stderr, "CONTAINER_REGISTRY_PASSWORD")

        const silent = yield* refusal({ CONTAINERS_NETWORK, DOCKER_HOST: "unix:///nobody/listens" })
        assert.strictEqual(silent.status, 1)
        assert.include(silent.stderr, "the Docker Engine does not answer")

        const other = yield* refusal({ AGENT_RUNTIME: "containerd", CONTAINERD_SOCKET: "/nobody/listens.sock" })
        assert.strictEqual(other.status, 1)
        assert.include(other.stderr, "containerd does not answer")
      })
    )
  })
})
