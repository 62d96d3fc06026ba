/** A template, and an environment in which `esb up` makes a stack in containers of it that meets nobody else's. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as BaseImages from "./BaseImages.ts"
import * as Cli from "./Cli.ts"
import { docker, names } from "./DockerImages.ts"
import * as FreeNetwork from "./FreeNetwork.ts"
import * as FreePort from "./FreePort.ts"
import { nodeImage, runtimeImage } from "./ServerBase.ts"
import * as StandIns from "./StandIns.ts"

const published = [
  "GATEWAY_HTTPS",
  "REGISTRY",
  "S3",
  "S3_MGMT",
  "DATABASE",
  "VICTORIALOGS",
  "VICTORIATRACES",
  "AGENT_METRICS",
  "AGENT_GRPC"
]

/** Variables of all ports that a stack publishes, with ports that nobody has. */
export const ports = Effect.gen(function* () {
  const found: Record<string, string> = {}
  for (const port of published) found[`PORT_${port}`] = String(yield* FreePort.find)
  return found
})

/** What became of a command that must go well: its standard output. */
export const answered = Effect.fnUntraced(function* (run: Effect.Effect<Cli.Ended>) {
  const { code, stderr, stdout } = yield* run
  assert.strictEqual(code, 0, stderr)
  return stdout
})

export const json = (run: Effect.Effect<Cli.Ended>) => Effect.map(answered(run), (text) => JSON.parse(text))

/** What a command said that must not go well. */
export const refused = Effect.fnUntraced(function* (run: Effect.Effect<Cli.Ended>) {
  const { code, stderr } = yield* run
  assert.strictEqual(code, 1, stderr)
  return stderr
})

/** What the engine has of a kind that belongs to the project. */
export const owned = (kind: "container" | "network" | "volume", project: string) =>
  Effect.map(
    docker(kind, "ls", ...(kind === "container" ? ["--all"] : []), "--quiet", "--filter", `name=${project}`),
    (listed) => listed.split("\n").filter((id) => id !== "")
  )

export const containerId = (name: string) => docker("inspect", "--format", "{{.Id}}", name)

/** The directory has a name that shells and Compose have to be told with care. */
export const given = Effect.fnUntraced(function* (mode: "docker" | "containerd") {
  const outside = yield* Cli.project({})
  const root = join(outside, "My Stack's $1")
  Cli.write(root, Cli.hello("in a container"))
  const prefix = yield* names
  const brand = `esb-test-${randomUUID().slice(0, 8)}`
  writeFileSync(join(root, "stand-ins.yml"), JSON.stringify({ services: StandIns.services(mode) }))
  const environment: Record<string, string> = {
    ESB_MODE: mode,
    ESB_BRAND_SLUG: brand,
    ENV: "e2e",
    ESB_REGISTRY: prefix,
    ESB_COMPOSE_FILES: "stand-ins.yml",
    ESB_NODE_IMAGE: mode === "docker" ? nodeImage() : runtimeImage(),
    ESB_BASE_IMAGE_NODEJS24_X: yield* Effect.promise(() => BaseImages.reference("our node")),
    WORKERS_NET: yield* FreeNetwork.find,
    GATEWAY_BIND: "127.0.0.1",
    LOG_LEVEL: "DEBUG",
    ...(yield* ports)
  }
  const esb = (...args: ReadonlyArray<string>) => Cli.esb(args, { cwd: root, environment })
  const project = `${brand}-e2e`
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      yield* esb("down", "--volumes")
      const images = yield* docker("images", "--quiet", "--filter", `reference=*/${brand}-*`)
      for (const image of images.split("\n")) if (image !== "") yield* docker("rmi", "--force", image)
    })
  )
  return { root, home: join(root, ".esb"), environment, esb, project, brand }
})
