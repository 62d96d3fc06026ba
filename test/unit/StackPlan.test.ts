import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Redacted } from "effect"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Access } from "#programs/esb/Access"
import * as Certificates from "#programs/esb/Certificates"
import * as ContainerCertificates from "#programs/esb/ContainerCertificates"
import * as Home from "#programs/esb/Home"
import { settings } from "#programs/esb/Settings"
import * as StackFiles from "#programs/esb/StackFiles"
import * as StackPlan from "#programs/esb/StackPlan"
import { stack } from "#programs/esb/StackSettings"
import type { ContainerMode } from "#programs/esb/RunFile"
import * as Setting from "#programs/Setting"

const secret = (name: string) => Redacted.make(`${name} of the tests`)

const access: Access = {
  accessKeyId: "ESBA",
  secretAccessKey: secret("key"),
  jwtSecretKey: secret("signature"),
  apiKey: secret("api key"),
  authUser: "admin",
  authPass: secret("password"),
  storeSecret: secret("store"),
  token: secret("token")
}

/** The plan of a stack whose environment is this and nothing else; a file stands for the engine's socket. */
const planned = Effect.fnUntraced(function* (
  environment: Readonly<Record<string, string>>,
  mode: ContainerMode = "docker"
) {
  const home = mkdtempSync(join(tmpdir(), "esb-StackPlan-"))
  const socket = join(home, "engine.sock")
  writeFileSync(socket, "")
  const env = { DOCKER_HOST: `unix://${socket}`, ...environment }
  const values = yield* Setting.resolve({ ...settings, ...stack }, {}).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env })),
    Effect.provide(NodeServices.layer)
  )
  const plan = yield* StackPlan.make({
    mode,
    home,
    template: "/template.yaml",
    settings: values,
    access,
    given: { LOG_LEVEL: "DEBUG", DOCKER_GID: "never" },
    authority: join(home, "certs/rootCA.crt"),
    certificateDirectory: join(home, "certs/containers")
  })
  return { home, socket, ...plan }
})

const refusal = (environment: Readonly<Record<string, string>>, mode?: ContainerMode) =>
  Effect.map(Effect.flip(planned(environment, mode)), (failure) =>
    "message" in failure ? failure.message : String(failure)
  )

describe("the plan of a stack in containers", () => {
  it.live("needs nothing to be said", () =>
    Effect.gen(function* () {
      const { home, run, socket, variables } = yield* planned({})
      assert.deepInclude(run, {
        mode: "docker",
        project: "esb-default",
        brand: "esb",
        environment: "default",
        gateway: "https://localhost",
        registry: "127.0.0.1:5010",
        authority: join(home, "certs/rootCA.crt"),
        environmentFile: join(home, "compose.env")
      })
      assert.lengthOf(run.composeFiles, 2)
      assert.match(run.composeFiles[0] ?? "", /\/compose\/services\.yml$/)
      assert.match(run.composeFiles[1] ?? "", /\/compose\/docker\.yml$/)
      const { gid, uid } = StackFiles.containerUser()
      assert.deepInclude(variables, {
        PROJECT_NAME: "esb-default",
        ENV: "default",
        CERT_DIR: join(home, "certs/containers"),
        CONFIG_DIR: join(home, "config"),
        SECRETS_DIR: join(home, "secrets"),
        RUN_UID: String(uid),
        RUN_GID: String(gid),
        DOCKER_GID: String(statSync(socket).gid),
        DOCKER_SOCKET: socket,
        LOG_LEVEL: "DEBUG",
        PORT_GATEWAY_HTTPS: "443"
      })
      assert.notInclude(JSON.stringify(variables), "of the tests", "secrets go by file")
      assert.notProperty(variables, "ROUTE_AUTH", "what nobody says, the Compose file decides")
    })
  )

  it.live("goes by what is said: names, ports, further Compose files, who may call routes", () =>
    Effect.gen(function* () {
      const { run, secrets, variables } = yield* planned({
        ESB_BRAND_SLUG: "acme",
        ENV: "staging",
        PORT_GATEWAY_HTTPS: "8443",
        PORT_REGISTRY: "15010",
        ESB_COMPOSE_FILES: "/one.yml, two.yml",
        ROUTE_AUTH: "template",
        GATEWAY_BIND: "10.1.2.3",
        RUSTFS_SECRET_KEY: "given"
      })
      assert.deepInclude(run, {
        project: "acme-staging",
        brand: "acme",
        gateway: "https://10.1.2.3:8443",
        registry: "127.0.0.1:15010"
      })
      assert.deepStrictEqual(run.composeFiles.slice(2), ["/one.yml", join(process.cwd(), "two.yml")])
      assert.strictEqual(variables["ROUTE_AUTH"], "template")
      assert.strictEqual(Redacted.value(secrets["rustfs_secret_key"] ?? secret("")), "given")
    })
  )

  it.live("lets a containerd start workers, which pulls images from the registry under another name", () =>
    Effect.gen(function* () {
      const { run, variables } = yield* planned({ CONTAINERD_RUNTIME: "aws.firecracker" }, "containerd")
      assert.deepInclude(run, { mode: "containerd", registry: "127.0.0.1:5010", agentRegistry: "registry:5010" })
      assert.match(run.composeFiles[1] ?? "", /\/compose\/containerd\.yml$/)
      assert.strictEqual(variables["CONTAINERD_RUNTIME"], "aws.firecracker")
      assert.strictEqual(variables["CONTAINERD_SNAPSHOTTER"], "", "the Agent decides")
      assert.notProperty(variables, "DOCKER_SOCKET")
      const docker = yield* planned({ CONTAINERD_RUNTIME: "aws.firecracker" })
      assert.notProperty(docker.variables, "CONTAINERD_RUNTIME")
      assert.notProperty(docker.run, "agentRegistry")
    })
  )

  it.live("refuses by name what contradicts itself, or no engine of this machine", () =>
    Effect.gen(function* () {
      assert.include(yield* refusal({ ESB_BRAND_SLUG: "acme", PROJECT_NAME: "other-default" }), "ESB_BRAND_SLUG")
      assert.include(yield* refusal({ DOCKER_HOST: "tcp://elsewhere:2375" }), "DOCKER_HOST")
      const noEngine = yield* refusal({ DOCKER_HOST: "unix:///nowhere/engine.sock" })
      assert.include(noEngine, "No Docker Engine answers at unix:///nowhere/engine.sock: there is no /nowhere")
      assert.include(noEngine, "https://docs.docker.com/engine/install")
      assert.include(yield* refusal({ WORKERS_NET: "10.89.0" }), "WORKERS_NET")
      assert.include(yield* refusal({ WORKERS_NET: "10.300" }), "WORKERS_NET")
      const noName = yield* refusal({ CONTAINERD_RUNTIME: "crun" }, "containerd")
      assert.include(noName, 'CONTAINERD_RUNTIME (--containerd-runtime) is "crun": expected a name with a dot in it')
      const machine = { CONTAINERD_RUNTIME: "aws.firecracker", CONTAINERD_RUNTIME_BINARY: "crun" }
      assert.include(
        yield* refusal(machine, "containerd"),
        'CONTAINERD_RUNTIME_BINARY (--containerd-runtime-binary) is "crun"'
      )
    })
  )

  it.live("has a name that Compose takes as it is, or says which variable makes another", () =>
    Effect.gen(function* () {
      const named = (environment: Readonly<Record<string, string>>) =>
        Effect.map(planned(environment), ({ run: { brand, environment, project } }) => [project, brand, environment])
      assert.deepStrictEqual(yield* named({ ENV: "Staging" }), ["esb-staging", "esb", "Staging"])
      assert.deepStrictEqual(yield* named({ PROJECT_NAME: "123" }), ["123", "123", "default"])
      assert.include(yield* refusal({ PROJECT_NAME: "My Stack" }), 'PROJECT_NAME is "My Stack"')
      assert.include(yield* refusal({ ENV: "e2e docker" }), "ESB_BRAND_SLUG and ENV")
    })
  )
})

describe("the files of a stack in containers", () => {
  it.live("are for the containers' user alone, also those that are written later; the authority's key is not", () =>
    Effect.gen(function* () {
      const home = join(mkdtempSync(join(tmpdir(), "esb-StackFiles-")), ".esb")
      yield* Home.make(home)
      const certificates = join(home, "certs")
      const certify = (renew: "nothing" | "leaves") =>
        Certificates.make(certificates, renew, { directory: undefined, san: [], validityHours: 24 })
      yield* certify("nothing")
      const mounted = ContainerCertificates.directoryIn(certificates)
      const made = (name: string) => StackFiles.make(home, mounted, { auth_pass: secret(name) })
      assert.isFalse(yield* made("first"), "nobody has an older one")
      assert.isTrue(yield* made("password"))
      assert.isFalse(yield* made("password"))
      assert.includeMembers([...(yield* certify("leaves"))], ["server.crt"])
      yield* Effect.promise(() => Home.replaceFile(join(home, "config/functions.yml"), "functions: {}\n", 0o600))

      const owner = (path: string) => statSync(join(home, path)).uid
      const { uid } = StackFiles.containerUser()
      for (const path of ["secrets", "secrets/auth_pass", "config/functions.yml", "certs/containers/server.key"]) {
        assert.strictEqual(owner(path), uid, path)
        assert.strictEqual(statSync(join(home, path)).mode & 0o077, 0, path)
      }
      assert.strictEqual(owner("certs"), process.getuid?.())
      assert.strictEqual(readFileSync(join(home, "secrets/auth_pass"), "utf8"), "password of the tests")
    })
  )

  it.live("have every certificate and no key of the authority, and follow what is renewed or replaced", () =>
    Effect.gen(function* () {
      const certificates = join(mkdtempSync(join(tmpdir(), "esb-StackFiles-")), "certs")
      const certify = (renew: "nothing" | "leaves" | "everything") =>
        Certificates.make(certificates, renew, { directory: undefined, san: [], validityHours: 24 })
      const mounted = ContainerCertificates.directoryIn(certificates)
      const names = ["client.crt", "client.key", "rootCA.crt", "server.crt", "server.key"]
      const texts = (directory: string) => names.map((name) => readFileSync(join(directory, name), "utf8"))

      for (const renew of ["nothing", "leaves", "everything"] as const) {
        yield* certify(renew)
        assert.deepStrictEqual(readdirSync(mounted).toSorted(), names, renew)
        assert.deepStrictEqual(texts(mounted), texts(certificates), renew)
      }
      const { ino } = statSync(join(mounted, "server.crt"))
      yield* certify("nothing")
      assert.strictEqual(statSync(join(mounted, "server.crt")).ino, ino, "what is equal stays")
      writeFileSync(join(certificates, "server.crt"), readFileSync(join(certificates, "client.crt")))
      yield* ContainerCertificates.keep(certificates)
      assert.deepStrictEqual(texts(mounted), texts(certificates))
      assert.notStrictEqual(statSync(join(mounted, "server.crt")).ino, ino, "a reader never sees half a file")
    })
  )
})
