/**
 * A stack as `compose/docker.yml` describes it, started by the Compose of this machine with stand-ins for what cannot be pulled
 * here. Its containers, workers among them, its networks, volumes and images are gone when the scope ends.
 */
import { spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Console, Duration, Effect, Layer, Result } from "effect"
import * as StackIdentity from "#domain/StackIdentity"
import * as ComposeEnvironment from "#layers/docker/ComposeEnvironment"
import * as DockerApi from "#layers/docker/DockerApi"
import * as DockerComposeStack from "#layers/docker/DockerComposeStack"
import * as DockerImageBuilder from "#layers/docker/DockerImageBuilder"
import * as ServerImages from "#programs/esb/ServerImages"
import { ComposeStack } from "#services/ComposeStack"
import { certs } from "./AgentStack.ts"
import { docker, names } from "./DockerImages.ts"
import * as FreeNetwork from "./FreeNetwork.ts"
import * as FreePort from "./FreePort.ts"
import { nodeImage, runtimeImage } from "./ServerBase.ts"
import * as StandIns from "./StandIns.ts"

const checkout = fileURLToPath(new URL("../..", import.meta.url))
const socketPath = "/var/run/docker.sock"
const api = DockerApi.layer({ socketPath })

const secrets = {
  jwt_secret_key: "key-of-the-tests-key-of-the-tests",
  x_api_key: "api-key-of-the-tests",
  auth_pass: "password-of-the-tests",
  esb_secret_access_key: "secret-of-the-tests",
  rustfs_secret_key: "root-secret-of-the-tests"
}

export interface Options {
  /** What starts workers; `docker` unless told otherwise. */
  readonly mode?: ServerImages.Mode
  /** Of the services. Root alone may choose one: anybody else cannot give his files away. */
  readonly runUid?: number
  /** Where the configuration is: in a directory of the test, or, as for those who say nothing of it, on a volume. */
  readonly configuration?: "directory" | "volume"
}

/** A busy machine starts containers slowly, and asks them after their health more slowly still. */
export const patienceMs = 120_000

export const isRoot = process.getuid?.() === 0

/** Root's files would be read by nobody else. */
const userOf = ({ runUid = 10_001 }: Options): number => (isRoot ? runUid : (process.getuid?.() ?? runUid))

const giveAway = (directory: string, uid: number): void => {
  chownSync(directory, uid, -1)
  for (const name of readdirSync(directory)) chownSync(join(directory, name), uid, -1)
}

/** Some machines, themselves guests of others, lack one. */
const hasEveryRight = (): boolean => {
  const [, bounding = "0"] = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? []
  const every = BigInt(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8").trim()) + 1n
  return BigInt(`0x${bounding}`) === (1n << every) - 1n
}

/** Values of the variables of both files, with ports and addresses that nobody else has. */
const variablesOf = Effect.fnUntraced(function* (
  project: string,
  prefix: string,
  runUid: number,
  directories: Record<string, string>
) {
  return {
    PROJECT_NAME: project,
    ENV: project.slice(-8),
    ESB_REGISTRY: prefix,
    ESB_TAG: "1",
    GATEWAY_BIND: "127.0.0.1",
    PAUSE_IDLE_SECONDS: "2",
    CNI_BRIDGE: `esb-${project.slice(-8)}`,
    WORKERS_NET: yield* FreeNetwork.find,
    RUN_UID: String(runUid),
    RUN_GID: String(runUid),
    DOCKER_GID: String(statSync(socketPath).gid),
    PORT_GATEWAY_HTTPS: String(yield* FreePort.find),
    PORT_AGENT_METRICS: String(yield* FreePort.find),
    PORT_AGENT_GRPC: String(yield* FreePort.find),
    PORT_S3: String(yield* FreePort.find),
    PORT_S3_MGMT: String(yield* FreePort.find),
    PORT_DATABASE: String(yield* FreePort.find),
    PORT_VICTORIALOGS: String(yield* FreePort.find),
    PORT_VICTORIATRACES: String(yield* FreePort.find),
    PORT_REGISTRY: String(yield* FreePort.find),
    // Where this machine has not got all rights to give.
    ...(hasEveryRight() ? {} : { RUNTIME_NODE_PRIVILEGED: "false" }),
    ...directories
  }
})

/** Node of an image of ours, with the right to change the machine's packet filter. */
const onTheMachine =
  "run --rm --network host --user 0 --cap-drop ALL --cap-add NET_ADMIN --entrypoint /usr/bin/node".split(" ")

/** Not started yet. */
export const make = Effect.fnUntraced(function* (options: Options = {}) {
  const { configuration = "directory", mode = "docker" } = options
  const runUid = userOf(options)
  const home = mkdtempSync(join(tmpdir(), "esb-compose-"))
  const at = (name: string): string => join(home, name)
  const prefix = yield* names
  const project = `esb-test-${randomUUID().slice(0, 8)}`

  yield* certs(at("certs"))
  for (const name of ["config", "secrets"]) mkdirSync(at(name))
  for (const [name, secret] of Object.entries(secrets)) writeFileSync(join(at("secrets"), name), `${secret}\n`)
  for (const name of ["certs", "secrets"]) giveAway(at(name), runUid)

  /** JSON is YAML. */
  const configure = (files: { readonly functions?: object; readonly resources?: object }): void => {
    const { functions = {}, resources = {} } = files
    writeFileSync(join(at("config"), "functions.yml"), JSON.stringify({ functions }))
    writeFileSync(join(at("config"), "routing.yml"), JSON.stringify({ routes: [] }))
    writeFileSync(join(at("config"), "resources.yml"), JSON.stringify({ resources }))
  }
  configure({})

  yield* ServerImages.build({
    mode,
    registry: prefix,
    tag: "1",
    checkout,
    nodeImage: mode === "docker" ? nodeImage() : runtimeImage(),
    isFresh: false,
    progress: () => undefined
  }).pipe(Effect.provide(Layer.provide(DockerImageBuilder.layer({ engine: `unix://${socketPath}` }), api)))

  const variables = yield* variablesOf(project, prefix, runUid, {
    CERT_DIR: at("certs"),
    SECRETS_DIR: at("secrets"),
    ...(configuration === "directory" ? { CONFIG_DIR: at("config") } : {})
  })
  writeFileSync(at("compose.env"), Result.getOrThrow(ComposeEnvironment.text(variables)))
  writeFileSync(at("stand-ins.yml"), JSON.stringify({ services: StandIns.services(mode) }))

  const layer = DockerComposeStack.layer({
    project,
    files: [...["services", mode].map((name) => join(checkout, `compose/${name}.yml`)), at("stand-ins.yml")],
    environmentFile: at("compose.env"),
    environment: process.env,
    engine: `unix://${socketPath}`,
    readyWithin: Duration.seconds(180)
  }).pipe(Layer.provide(api))

  const told: Array<string> = []
  const progress = (line: string): void => void told.push(line)
  const stack = yield* Effect.provide(ComposeStack, yield* Layer.build(layer))

  /** Ids of what the engine has of a kind, by a filter. */
  const ids = (kind: "container" | "network" | "volume", filter: string) =>
    Effect.map(
      docker(kind, "ls", ...(kind === "container" ? ["--all"] : []), "--quiet", "--filter", filter),
      (listed) => listed.split("\n").filter((id) => id !== "")
    )
  const workers = Effect.suspend(() => ids("container", `network=${project}-workers`))
  const ofProject = `label=com.docker.compose.project=${project}`

  /** Of every service how it is, and what it wrote last. */
  const diary = Effect.flatMap(stack.services, (services) =>
    Effect.forEach(services, ({ container, health, name, state }) =>
      Effect.map(
        Effect.sync(() => spawnSync("docker", ["logs", "--tail", "20", container], { encoding: "utf8" })),
        ({ stderr, stdout }) => `--- ${name}: ${state}, ${health}\n${stdout}${stderr}`
      )
    )
  )
  const up = stack
    .up(progress)
    .pipe(
      Effect.tapError((failure) =>
        Effect.flatMap(diary, (pages) => Console.error([failure.message, ...pages].join("\n")))
      )
    )

  const agentImage = ServerImages.reference({ registry: prefix, tag: "1" }, "agent")
  const sources = { brandSlug: undefined, projectName: project, network: undefined }
  const identity = Result.getOrThrow(StackIdentity.resolve(sources, variables.ENV))

  /** Workers of the machine's own engine outlive their Agent, and so does the fence around them. */
  const clear = Effect.gen(function* () {
    yield* stack.stop(["gateway", "agent"], progress)
    const services = yield* ids("container", ofProject)
    const left = (yield* workers).filter((id) => !services.includes(id))
    if (left.length > 0) yield* docker("rm", "--force", "--volumes", ...left)
    yield* docker(...onTheMachine, agentImage, "/app/dist/fence.js", "lower", JSON.stringify(identity))
  })

  /** Everything goes. */
  const down = Effect.gen(function* () {
    if (mode === "docker") yield* clear
    yield* stack.down({ volumes: true }, progress)
  })
  yield* Effect.addFinalizer(() => Effect.orDie(down))

  return {
    home,
    project,
    variables,
    secrets,
    stack,
    up,
    told,
    progress,
    configure,
    down,
    url: `https://127.0.0.1:${variables.PORT_GATEWAY_HTTPS}`,
    authority: readFileSync(join(at("certs"), "rootCA.crt"), "utf8"),
    registry: `127.0.0.1:${variables.PORT_REGISTRY}`,
    serverImage: (program: ServerImages.Program) => ServerImages.reference({ registry: prefix, tag: "1" }, program),
    container: (service: string) => `${project}-${service}`,
    /** What of it the engine still has. */
    remains: Effect.map(
      Effect.all([ids("container", ofProject), workers, ids("network", ofProject), ids("volume", ofProject)]),
      (found) => found.flat()
    )
  }
})

export type Project = Effect.Success<ReturnType<typeof make>>
