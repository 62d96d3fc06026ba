/**
 * Images in the place of those that `compose/services.yml` pulls, made of files of this machine. Each is a real server of the
 * same interface: Debian's registry for the registry, MinIO for RustFS, dynalite for ScyllaDB; CoreDNS is itself. VictoriaLogs is itself where this
 * machine has it; else, and for VictoriaTraces always, a server stands there that takes everything and says that it is healthy.
 */
import { existsSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { engine, pathOf } from "./Engines.ts"
import * as ImageTree from "./ImageTree.ts"
import { nodeImage } from "./ServerBase.ts"

const checkout = fileURLToPath(new URL("../..", import.meta.url))

/** What the health checks of `compose/services.yml` call. */
const wget: ImageTree.Tree = { "bin/wget": { link: "busybox" } }

const extend = (name: string, tree: ImageTree.Tree, ...settings: ReadonlyArray<string>): string =>
  ImageTree.extend(name, nodeImage(), { ...wget, ...tree }, settings)

const registry = () =>
  extend(
    "stand-in-registry",
    {
      ...ImageTree.program("usr/bin/docker-registry", pathOf("registry")),
      // JSON is YAML.
      "etc/registry.yml": {
        text: JSON.stringify({
          version: 0.1,
          log: { level: "warn" },
          storage: { filesystem: { rootdirectory: "/var/lib/registry" } },
          http: { addr: ":5000", secret: "of no importance" }
        })
      }
    },
    'ENTRYPOINT ["/usr/bin/docker-registry", "serve", "/etc/registry.yml"]'
  )

/** Without the mark that its image gives it, a right to a port below 1024. */
const coredns = () =>
  extend("stand-in-coredns", { ...ImageTree.program("coredns", pathOf("coredns")) }, 'ENTRYPOINT ["/coredns"]')

const minio = () =>
  extend(
    "stand-in-s3",
    ImageTree.program("usr/bin/minio", pathOf("minio")),
    "ENV MINIO_BROWSER=off HOME=/tmp",
    'ENTRYPOINT ["/usr/bin/minio", "server", "--quiet", "--address", ":9000", "/data"]'
  )

/** Upwards, and without a look at what Node has built in: some packages have its names. */
const placesOf = (name: string, from: string): ReadonlyArray<string> => {
  const here = join(from, "node_modules", name)
  return from === dirname(from) ? [here] : [here, ...placesOf(name, dirname(from))]
}

/** A package of the checkout and all it depends on, where Node looks for them. */
const packages = (name: string, from: string = checkout, found = new Map<string, ImageTree.Tree>()): ImageTree.Tree => {
  const place = placesOf(name, from).find((path) => existsSync(join(path, "package.json")))
  if (place === undefined) throw new Error(`${name} is not installed: npm ci`)
  if (!found.has(place)) {
    const path = join("app", relative(checkout, place))
    // What lies below is walked to when somebody depends on it.
    found.set(
      place,
      ImageTree.directory(path, place, (file) => !file.startsWith("node_modules"))
    )
    const { dependencies = {} } = JSON.parse(readFileSync(join(place, "package.json"), "utf8")) as {
      readonly dependencies?: Readonly<Record<string, string>>
    }
    for (const dependency of Object.keys(dependencies)) packages(dependency, place, found)
  }
  return Object.assign({}, ...found.values()) as ImageTree.Tree
}

const dynalite = () =>
  extend(
    "stand-in-database",
    packages("dynalite"),
    'ENTRYPOINT ["/usr/local/bin/node", "/app/node_modules/dynalite/cli.js", "--port", "8000", "--createTableMs", "200"]'
  )

/** Answers like a store that has nothing to say, on the port it is told. */
const listener = `
const { createServer } = require("node:http")
createServer((request, response) => request.resume().once("end", () => response.end("OK"))).listen(Number(process.argv[2]))
`

const mute = (port: number) =>
  extend(
    "stand-in-store",
    { "app/listener.cjs": { text: listener } },
    `ENTRYPOINT ["/usr/local/bin/node", "/app/listener.cjs", "${port}"]`
  )

const victoriaLogs = () =>
  engine("victorialogs").present
    ? extend(
        "stand-in-victorialogs",
        ImageTree.program("usr/bin/victoria-logs", pathOf("victorialogs")),
        'ENTRYPOINT ["/usr/bin/victoria-logs"]'
      )
    : mute(9428)

const check = (...command: ReadonlyArray<string>) => ({
  test: ["CMD", ...command],
  interval: "1s",
  timeout: "5s",
  retries: 30,
  start_period: "1s"
})

/** Ends at once: nothing that a stand-in keeps is worth waiting for. */
const passing = { stop_signal: "SIGKILL" }

const fetched = (url: string) => check("wget", "--quiet", "--output-document", "/dev/null", url)

/** Of a Compose file that is given after those of `compose`. Needs the peers `registry` and `minio`. */
export const services = (mode: "docker" | "containerd" = "docker") => ({
  gateway: { healthcheck: { interval: "1s" } },
  ...(mode === "docker"
    ? { agent: { healthcheck: { interval: "1s" } } }
    : { "runtime-node": { healthcheck: { interval: "1s" } }, coredns: { ...passing, image: coredns() } }),
  registry: { ...passing, image: registry(), healthcheck: fetched("http://127.0.0.1:5010/v2/") },
  "s3-storage": {
    ...passing,
    image: minio(),
    environment: { MINIO_ROOT_USER: "esb-root", MINIO_ROOT_PASSWORD_FILE: "/run/secrets/rustfs_secret_key" },
    healthcheck: fetched("http://127.0.0.1:9000/minio/health/live")
  },
  database: {
    ...passing,
    image: dynalite(),
    command: [],
    healthcheck: check(
      "/usr/local/bin/node",
      "--eval",
      "require('node:net').connect(8000, '127.0.0.1').on('connect', () => process.exit(0)).on('error', () => process.exit(1))"
    )
  },
  victorialogs: { ...passing, image: victoriaLogs(), healthcheck: fetched("http://127.0.0.1:9428/health") },
  victoriatraces: {
    ...passing,
    image: mute(10428),
    command: [],
    healthcheck: fetched("http://127.0.0.1:10428/health")
  }
})
