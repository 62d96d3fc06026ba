/** The built Agent in a container, as Compose runs it: no root, the engine's socket, and an address in the workers' network. */
import { spawnSync } from "node:child_process"
import { statSync } from "node:fs"
import { dirname } from "node:path"
import { Effect } from "effect"
import type { Environment } from "./BareServer.ts"
import { programAt } from "./Cli.ts"
import { docker } from "./DockerImages.ts"
import { eventually } from "./Eventually.ts"
import * as ImageTree from "./ImageTree.ts"
import * as Reach from "./Reach.ts"
import * as ServerBase from "./ServerBase.ts"

const socket = "/var/run/docker.sock"

/** Where the image has Node. */
export const node = "/usr/local/bin/node"

export const image = (): string => {
  const dist = dirname(programAt("agent"))
  const isWanted = (path: string) => /^(agent|fence|server-\w+)\.js$/.test(path)
  return ImageTree.extend("agent", ServerBase.nodeImage(), ImageTree.directory("app/dist", dist, isWanted), [
    "USER 10001:10001",
    `ENTRYPOINT ["${node}", "/app/dist/agent.js"]`
  ])
}

/** Speaks without TLS unless it is told to. `args` are for `docker run`. It answers when this returns. */
export const make = Effect.fnUntraced(function* (
  network: string,
  settings: Environment,
  ...args: ReadonlyArray<string>
) {
  const environment = {
    ESB_HOME: "/var/lib/esb",
    AGENT_RUNTIME: "docker",
    AGENT_GRPC_TLS_DISABLED: "1",
    CONTAINERS_NETWORK: network,
    IMAGE_PULL_POLICY: "never",
    ...settings
  }
  const made = yield* Reach.container(
    network,
    ...Object.entries(environment).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    "--group-add",
    String(statSync(socket).gid),
    "--volume",
    `${socket}:${socket}`,
    ...args,
    image()
  )
  const told = Effect.sync(() => spawnSync("docker", ["logs", made.id], { encoding: "utf8" }).stderr)
  const port = Number(settings["PORT"] ?? 50_051)
  yield* eventually("the Agent answers", Reach.fromHere(made.address, port), (isThere) => isThere, 15_000).pipe(
    Effect.tapCause(() => Effect.flatMap(told, Effect.logError))
  )
  return { ...made, stop: docker("stop", made.id) }
})
