/** Whom functions in containers believe: servers that the stack's authority has certified, without being told to look away. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { chmodSync, copyFileSync, mkdirSync, readFileSync } from "node:fs"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as AgentContainer from "#test/support/AgentContainer"
import * as AgentStack from "#test/support/AgentStack"
import * as BaseImages from "#test/support/BaseImages"
import type { Environment } from "#test/support/BareServer"
import { docker } from "#test/support/DockerImages"
import { freshStack } from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import * as FreePort from "#test/support/FreePort"
import * as Reach from "#test/support/Reach"

const brand = "agents"
const task = fileURLToPath(new URL("../samples/trust", import.meta.url))

/** Says hello over TLS, with the certificate that Agents of a stack show. */
const secureService = (certificates: string) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<{ readonly port: number; readonly close: () => void }>((done) => {
          const [cert, key] = ["server.crt", "server.key"].map((name) => readFileSync(join(certificates, name)))
          const server = createServer({ cert, key }, (_request, answer) => answer.end("hello"))
          server.listen(0, "0.0.0.0", () => {
            const { port } = server.address() as AddressInfo
            const close = (): void => {
              server.closeAllConnections()
              server.close()
            }
            done({ port, close })
          })
        })
    ),
    ({ close }) => Effect.sync(close)
  ).pipe(Effect.map(({ port }) => port))

const images = Effect.promise(async () => ({
  node: await BaseImages.image("our node", { task, handler: "index.look" }),
  python: await BaseImages.image("our python", { task, handler: "app.look" })
}))

/** The certificates where another user may read them. */
const readable = (stack: AgentStack.AgentStack) =>
  Effect.sync(() => {
    const directory = stack.fresh("certificates")
    mkdirSync(directory)
    for (const name of ["server.crt", "server.key", "rootCA.crt"]) {
      copyFileSync(join(stack.certificates, name), join(directory, name))
      chmodSync(join(directory, name), 0o644)
    }
    for (const each of [stack.directory, directory]) chmodSync(each, 0o755)
    return directory
  })

/** A network, a server that has nothing to do with it but is on its machine, and a stack of its own that may reach it. */
const surroundings = Effect.gen(function* () {
  const { certificates } = yield* AgentStack.Shared
  const port = yield* secureService(certificates)
  const network = yield* Reach.network
  const environment = freshStack()
  yield* Effect.addFinalizer(() => Reach.clear(brand, environment))
  const settings: Environment = {
    ENV: environment,
    PROJECT_NAME: brand,
    CONTAINERS_NETWORK: network.name,
    WORKER_FENCE: "on",
    WORKER_REACH: `${network.gateway}:${port}`
  }
  return { network, port, settings }
})
type Surroundings = Effect.Success<typeof surroundings>

/** Functions in both languages, and one that was told something else by its own settings. */
const functions = Effect.map(images, ({ node, python }) => {
  const common = { timeout: 10, memory_size: 256 }
  return {
    node: { ...common, image: node, handler: "index.look" },
    python: { ...common, image: python, handler: "app.look" },
    told: { ...common, image: node, handler: "index.look", environment: { NODE_EXTRA_CA_CERTS: "/nobody" } }
  }
})

const answers = Effect.fnUntraced(function* (gateway: AgentStack.Gateway, { network, port }: Surroundings) {
  const ask = (name: string, as: string) =>
    Effect.map(gateway.call(name, { host: network.gateway, port, name: as }), (answer) => {
      assert.strictEqual(answer.status, 200, `${answer.text}\n${gateway.stderr()}`)
      return answer.json()
    })
  return {
    node: yield* ask("node", "localhost"),
    python: yield* ask("python", "localhost"),
    elsewhere: yield* ask("node", "somebody.else"),
    told: yield* ask("told", "localhost")
  }
})

const expected = {
  node: { said: "hello" },
  python: { said: "hello" },
  // Names are checked as ever, and a function's own word wins.
  elsewhere: { refused: "ERR_TLS_CERT_ALTNAME_INVALID" },
  told: { refused: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" }
}

describe("functions in containers", { ...needs("docker", "python"), timeout: 90_000 }, () => {
  it.layer(AgentStack.layer, { ...AgentStack.live, timeout: "90 seconds" })((it) => {
    it.effect("of an Agent on the machine believe the authority of the stack", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const around = yield* surroundings
        const agent = yield* stack.agent({
          ...around.settings,
          AGENT_RUNTIME: "docker",
          IMAGE_PULL_POLICY: "never"
        })
        const gateway = yield* stack.gateway([agent.address], { functions: yield* functions })
        assert.deepStrictEqual(yield* answers(gateway, around), expected)
      })
    )

    it.effect("of an Agent in a container believe it too, by the volume that holds its state", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const around = yield* surroundings
        const volume = yield* Effect.acquireRelease(docker("volume", "create"), (made) =>
          docker("volume", "rm", "--force", made)
        )
        const asRoot = [
          "run",
          "--rm",
          "--user",
          "0",
          "--volume",
          `${volume}:/state`,
          "--entrypoint",
          AgentContainer.node
        ]
        const chown = 'require("node:fs").chownSync("/state", 10001, 10001)'
        yield* docker(...asRoot, AgentContainer.image(), "-e", chown)
        const certificates = yield* readable(stack)
        const [grpc, data] = [String(yield* FreePort.find), String(yield* FreePort.find)]
        const settings = {
          ...around.settings,
          PORT: grpc,
          AGENT_DATA_PORT: data,
          AGENT_GRPC_TLS_DISABLED: "false",
          AGENT_GRPC_CA_CERT_PATH: "/app/config/ssl/rootCA.crt"
        }
        yield* AgentContainer.make(
          around.network.name,
          settings,
          "--volume",
          `${volume}:/var/lib/esb`,
          "--volume",
          `${certificates}:/app/config/ssl:ro`,
          ...[grpc, data].flatMap((each) => ["--publish", `127.0.0.1:${each}:${each}`])
        )
        const gateway = yield* stack.gateway([`127.0.0.1:${grpc}`], { functions: yield* functions })
        assert.deepStrictEqual(yield* answers(gateway, around), expected)
      })
    )
  })
})
