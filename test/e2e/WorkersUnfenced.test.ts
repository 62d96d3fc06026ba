/** What an Agent says and does that cannot fence its workers in. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { statSync } from "node:fs"
import { Effect } from "effect"
import * as AgentContainer from "#test/support/AgentContainer"
import * as AgentStack from "#test/support/AgentStack"
import type { Environment } from "#test/support/BareServer"
import { programAt } from "#test/support/Cli"
import { freshStack } from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import * as ImageTree from "#test/support/ImageTree"
import * as Reach from "#test/support/Reach"

const socket = "/var/run/docker.sock"

/** Somebody who may use the engine, and may not change the machine's packet filter. */
const nobody = { uid: 65_534, gid: statSync(socket, { throwIfNoEntry: false })?.gid ?? 0 }

/** Ends by itself, or is asked to after a while. */
const agent = Effect.fnUntraced(function* (settings: Environment) {
  const stack = yield* AgentStack.Shared
  const environment = freshStack()
  const env = {
    PATH: process.env["PATH"] ?? "",
    ...stack.agentSettings(),
    ENV: environment,
    AGENT_RUNTIME: "docker",
    AGENT_GRPC_TLS_DISABLED: "1",
    ESB_HOME: "/nobody/has/this",
    CONTAINERS_NETWORK: `esb-${environment}`,
    ...settings
  }
  return spawnSync(process.execPath, [programAt("agent")], { env, ...nobody, encoding: "utf8", timeout: 10_000 })
})

describe("an Agent that cannot fence its workers in", { ...needs("docker", "packet-filter"), timeout: 60_000 }, () => {
  it.layer(
    AgentStack.layer,
    AgentStack.live
  )((it) => {
    it.effect("warns and goes on where workers reach their doors all the same, unless a fence was asked for", () =>
      Effect.gen(function* () {
        const warned = yield* agent({ WORKER_FENCE: "auto" })
        assert.include(warned.stderr, "Workers can reach every port of this machine")
        assert.include(warned.stderr, "you must be root")
        assert.strictEqual(warned.status, 0, warned.stderr)

        const refused = yield* agent({ WORKER_FENCE: "on" })
        assert.strictEqual(refused.status, 1)
        assert.include(refused.stderr, "you must be root")
        assert.include(refused.stderr, "WORKER_FENCE=off")
      })
    )

    it.effect("does not start in a container, where workers would not reach their doors, and hands on why", () =>
      Effect.gen(function* () {
        const { name } = yield* Reach.network
        const lame = "console.error('no packet filter here'); process.exitCode = 1"
        const image = ImageTree.extend(
          "agent-lame",
          AgentContainer.image(),
          { "app/dist/fence.js": { text: lame } },
          []
        )
        const settings = {
          ENV: freshStack(),
          PROJECT_NAME: "agents",
          CONTAINERS_NETWORK: name,
          AGENT_GRPC_TLS_DISABLED: "1",
          ESB_EPHEMERAL: "1"
        }
        const engine = ["--network", name, "--group-add", String(nobody.gid), "--volume", `${socket}:${socket}`]
        const told = Object.entries(settings).flatMap(([key, value]) => ["--env", `${key}=${value}`])
        const { status, stderr } = spawnSync("docker", ["run", "--rm", ...engine, ...told, image], { encoding: "utf8" })
        assert.strictEqual(status, 1, stderr)
        assert.include(stderr, "no packet filter here")
        assert.include(stderr, "WORKER_FENCE=off")
      })
    )

    it.effect("names a server of WORKER_REACH that is no address with a port, and ends with 2", () =>
      Effect.gen(function* () {
        const { status, stderr } = yield* agent({ WORKER_REACH: "10.89.0.3:443,gateway:8443" })
        assert.strictEqual(status, 2)
        assert.include(stderr, 'WORKER_REACH (--worker-reach) has "gateway:8443"')
      })
    )
  })
})
