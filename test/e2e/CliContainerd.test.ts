/** `esb up --mode containerd` as a user has it: the whole stack by Compose, with a containerd in it that starts the workers. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { networkInterfaces } from "node:os"
import { join } from "node:path"
import { bridgeName } from "#domain/BrandNetwork"
import * as Cli from "#test/support/Cli"
import { answered, containerId, given, json, owned, refused } from "#test/support/CliContainers"
import { docker } from "#test/support/DockerImages"
import { needs } from "#test/support/Engines"

const imagesIn = (home: string): ReadonlyArray<string> =>
  [...readFileSync(join(home, "config/functions.yml"), "utf8").matchAll(/image: (\S+)/g)].map(([, image = ""]) => image)

/** A second function, in an image that the engine of this machine has and no registry. */
const withImage = (template: string, imageUri: string): string =>
  template.replace(
    "Resources:\n",
    `Resources:\n  Own:\n    Type: AWS::Serverless::Function\n    Properties: { FunctionName: own, PackageType: Image, ImageUri: "${imageUri}" }\n`
  )

const ownImage = Effect.fnUntraced(function* (root: string, name: string, base: string) {
  Cli.write(root, {
    "own/Dockerfile": `FROM ${base}\nCOPY app.mjs /var/task/app.mjs\nCMD ["app.handler"]\n`,
    "own/app.mjs": `export const handler = async () => "from an image"\n`
  })
  yield* docker("build", "--quiet", "--tag", name, join(root, "own"))
})

/** What this machine has of a stack besides containers, networks and volumes of the engine. */
const tracesOn = (brand: string): ReadonlyArray<string> => [
  ...Object.keys(networkInterfaces()).filter(
    (name) => name === bridgeName(brand, createHash("md5").update(brand).digest())
  ),
  ...readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes(brand)),
  ...execFileSync("iptables-save", { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(brand))
]

describe(
  "esb up --mode containerd",
  needs("compose", "registry", "minio", "containerd", "cni", "coredns", "ethtool", "dmsetup"),
  () => {
    it.live(
      "brings a template up with workers in a containerd, brings new versions, and leaves nothing when it is taken down",
      () =>
        Effect.gen(function* () {
          const { brand, environment, esb, home, project, root } = yield* given("containerd")
          const ready = yield* json(esb("up", "--json"))
          assert.deepStrictEqual(ready.functions, [{ name: "hello", routes: ["GET /hello"] }])
          const run = JSON.parse(readFileSync(join(home, "run.json"), "utf8"))
          const registry = `127.0.0.1:${environment["PORT_REGISTRY"]}`
          assert.deepInclude(run, { mode: "containerd", project, registry, agentRegistry: "registry:5010" })
          assert.match(imagesIn(home).join(), new RegExp(`^registry:5010/${brand}-hello@sha256:[0-9a-f]{64}$`))

          const says = (name: string) => Effect.map(json(esb("invoke", name, "--json")), ({ payload }) => payload)
          assert.deepInclude(yield* says("hello"), { answer: "in a container" })
          const { services, workers } = yield* json(esb("ps", "--json"))
          const found = services as ReadonlyArray<{ name: string; state: string; health: string }>
          assert.includeMembers(
            found.filter(({ health }) => health === "healthy").map(({ name }) => name),
            ["gateway", "runtime-node", "registry", "s3-storage", "database", "victorialogs", "victoriatraces"]
          )
          assert.lengthOf(workers, 1)
          assert.lengthOf(
            yield* owned("container", project),
            found.length,
            "the engine has the services, and no worker"
          )
          const doctor = yield* esb("doctor", "--mode", "containerd")
          assert.strictEqual(doctor.code, 0, doctor.stdout)
          assert.match(doctor.stdout, /ok +a network for workers in the runtime node/)
          assert.include(doctor.stdout, "the service runtime-node: running, healthy")

          // The same again changes nothing.
          const ids = Effect.all([containerId(`${project}-gateway`), containerId(`${project}-runtime-node`)])
          const before = yield* ids
          yield* answered(esb("up"))
          assert.deepStrictEqual(yield* ids, before)
          assert.deepInclude(yield* says("hello"), { answer: "in a container" })

          // Another mode is another stack.
          assert.include(yield* refused(esb("up", "--mode", "docker")), "runs in the mode containerd, not docker")
          assert.include(yield* refused(esb("up", "--mode", "embedded")), "esb up --mode containerd")

          const { "template.yaml": template = "", ...changed } = Cli.hello("anew")
          const own = `${environment["ESB_REGISTRY"]}own:1`
          yield* ownImage(root, own, environment["ESB_BASE_IMAGE_NODEJS24_X"] ?? "")
          Cli.write(root, { ...changed, "template.yaml": withImage(template, own) })
          const deployed = yield* answered(esb("deploy"))
          assert.include(deployed, "changed  hello")
          assert.deepInclude(yield* says("hello"), { answer: "anew" })
          assert.strictEqual(yield* says("own"), "from an image")
          for (const image of imagesIn(home)) assert.match(image, /^registry:5010\/\S+@sha256:[0-9a-f]{64}$/)

          // A name of this machine's own is none where containerd is; that of the stack's registry is understood.
          const names = imagesIn(home)
          Cli.write(root, { "template.yaml": withImage(template, "127.0.0.1:1/own:1") })
          assert.include(
            yield* refused(esb("deploy", "--image-prewarm", "off")),
            "own: 127.0.0.1:1/own:1 is on this machine"
          )
          assert.deepStrictEqual(imagesIn(home), names)
          const there = names.find((name) => name.includes("own")) ?? ""
          Cli.write(root, { "template.yaml": withImage(template, there) })
          assert.include(yield* answered(esb("deploy")), "Nothing has changed")

          // Who starts the containers of a stack again finds what it was told, and what it holds.
          assert.include(yield* answered(esb("down")), "Its volumes are kept")
          assert.deepStrictEqual(yield* owned("container", project), [])
          assert.deepStrictEqual(yield* owned("network", project), [])
          assert.deepStrictEqual(tracesOn(brand), [])
          yield* answered(esb("up"))
          assert.deepInclude(yield* says("hello"), { answer: "anew" })
          yield* answered(esb("down", "--volumes"))
          assert.deepStrictEqual(yield* owned("volume", project), [])
          assert.deepStrictEqual(tracesOn(brand), [])
        }).pipe(Effect.scoped),
      600_000
    )
  }
)

describe("esb up, told of a containerd where there is none,", () => {
  it.live("refuses the flags of the other modes by name", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("never"))
      const flags = ["--containerd-runtime", "aws.firecracker", "--cni-subnet", "10.88.0.0/16"]
      const docker = yield* Cli.esb(["up", "--mode", "docker", ...flags], { cwd: root })
      assert.strictEqual(docker.code, 2)
      for (const flag of ["--containerd-runtime <text>", "--cni-subnet <network>"]) {
        assert.include(docker.stderr, `${flag} is of workers by containerd, which --mode containerd chooses`)
      }
      const embedded = yield* Cli.esb(["up", ...flags], { cwd: root })
      assert.strictEqual(embedded.code, 2)
      const port = yield* Cli.esb(["up", "--mode", "containerd", "--port", "1"], { cwd: root })
      assert.strictEqual(port.code, 2)
      assert.include(port.stderr, "--gateway-port")
    }).pipe(Effect.scoped)
  )

  it.live("esb deploy wants a registry to build for, when no stack runs", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("never"))
      const { code, stderr } = yield* Cli.esb(["deploy", "--mode", "containerd", "--build-only"], { cwd: root })
      assert.strictEqual(code, 2)
      assert.include(stderr, "name that of the stack to be with --registry, such as 127.0.0.1:5010")
    }).pipe(Effect.scoped)
  )
})

describe("esb doctor --mode containerd", () => {
  const look = Effect.fnUntraced(function* (environment: Readonly<Record<string, string>>) {
    const cwd = yield* Cli.project({})
    const { stdout } = yield* Cli.esb(["doctor", "--mode", "containerd", "--json"], { cwd, environment })
    const { findings } = JSON.parse(stdout) as {
      findings: ReadonlyArray<{ mode: string; what: string; state: string }>
    }
    return findings.filter(({ mode }) => mode === "containerd")
  })

  it.live(
    "looks for virtual machines, disks and layers of directories only where they are asked for",
    () =>
      Effect.gen(function* () {
        const always = ["privileged containers", "a network for workers in the runtime node"]
        const disks = "device mapper, for the snapshotter of disks"
        const whats = (found: Effect.Success<ReturnType<typeof look>>) =>
          found.map(({ what }) => what).filter((what) => what !== "all rights of a machine")
        assert.deepStrictEqual(whats(yield* look({})), always.toSpliced(1, 0, "overlayfs"))
        assert.deepStrictEqual(whats(yield* look({ CONTAINERD_RUNTIME: "aws.firecracker" })), [
          ...always,
          "KVM, for Firecracker",
          disks
        ])
        const other = { CONTAINERD_RUNTIME: "aws.firecracker", CONTAINERD_SNAPSHOTTER: "overlayfs" }
        const ofOther = whats(yield* look(other))
        assert.notInclude(ofOther, disks)
        assert.include(ofOther, "overlayfs")
        assert.deepStrictEqual(whats(yield* look({ CONTAINERD_SNAPSHOTTER: "devmapper" })), [...always, disks])
      }).pipe(Effect.scoped),
    90_000
  )

  it.live("needs a Docker Engine, whose container the containerd is in", () =>
    Effect.gen(function* () {
      const [privileges] = yield* look({ DOCKER_HOST: "unix:///nowhere/engine.sock" })
      assert.deepInclude(privileges, { what: "privileged containers", state: "missing" })
    }).pipe(Effect.scoped)
  )
})
