/** What the files of `compose` promise of every service of a stack, read from the files themselves. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { parse } from "yaml"
import { settings as agent } from "#programs/agent/Settings"
import { type Mode, type Program, programsOf } from "#programs/esb/ServerImages"
import { settings as gateway } from "#programs/gateway/Settings"
import { settings as provisioner } from "#programs/provisioner/Settings"
import { settings as runtimeNode } from "#programs/runtime-node/Settings"
import type * as Setting from "#programs/Setting"

const read = (name: string): string => readFileSync(new URL(`../../compose/${name}`, import.meta.url), "utf8")

interface Service {
  readonly image: string
  readonly container_name: string
  readonly restart: string
  readonly user?: string
  readonly read_only?: boolean
  readonly privileged?: string
  readonly cap_drop?: ReadonlyArray<string>
  readonly security_opt?: ReadonlyArray<string>
  readonly logging: { readonly driver: string; readonly options: Readonly<Record<string, string>> }
  readonly healthcheck: { readonly disable?: boolean; readonly test?: ReadonlyArray<string> }
  readonly mem_limit: string
  readonly cpus: string | number
  readonly pids_limit: number
  readonly profiles?: ReadonlyArray<string>
  readonly stop_grace_period?: string
  readonly ports?: ReadonlyArray<string>
  readonly volumes?: ReadonlyArray<string>
  readonly environment?: Readonly<Record<string, string>>
  readonly secrets?: ReadonlyArray<string>
}

interface File {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes?: Readonly<Record<string, object>>
  readonly secrets?: Readonly<Record<string, { readonly file: string }>>
}

/** As Compose adds one file to another, as far as ours do: the environment of a service that both have. */
const added = (one: Service | undefined, { environment = {}, ...other }: Service): Service => ({
  ...one,
  ...other,
  environment: { ...one?.environment, ...environment }
})

/** A stack: what all have, and what its mode adds. */
const stackOf = (mode: string) => {
  const texts = ["services.yml", `${mode}.yml`].map(read)
  const files = texts.map((text) => parse(text, { merge: true }) as File)
  const services: Record<string, Service> = {}
  for (const file of files) {
    for (const [name, service] of Object.entries(file.services)) services[name] = added(services[name], service)
  }
  const of = <K extends "volumes" | "secrets">(key: K) =>
    Object.assign({}, ...files.map((file) => file[key])) as NonNullable<File[K]>
  return {
    text: texts.join("\n"),
    byName: services,
    services: Object.entries(services),
    volumes: of("volumes"),
    secrets: of("secrets")
  }
}

/** They do one thing and end. */
const oneShots = new Set(["volumes", "provisioner"])

/** Why a service does not run as `RUN_UID`, told in the file as well. */
const otherUsers = new Map([
  ["volumes", "it gives files away, as only root may"],
  ["database", "its image has a user of its own, to whom its files belong"],
  ["runtime-node", "it makes containers, as only root may"]
])

/** Why a service has every right, told in the file as well. */
const privileged = new Map([
  ["runtime-node", "it makes containers: mounts, namespaces, control groups, a packet filter"]
])

/** Why a service has no limits of its own. */
const unlimited = new Map([["runtime-node", "workers live in it, each of whom has limits"]])

/** Why nobody asks how a service is. */
const unasked = new Map([["coredns", "its image has nothing that could"]])

/** Every name that a setting has, and those of the files that secrets may be in. */
const variablesOf = (settings: Setting.Settings): ReadonlySet<string> =>
  new Set(
    Object.values(settings).flatMap(({ env, kind }) =>
      env.flatMap((name) => [name, ...(kind.isSecret ? [`${name}_FILE`] : [])])
    )
  )

const ofEverybody = new Set(["NO_PROXY", "no_proxy"])

const known: Readonly<Record<Program, ReadonlySet<string>>> = {
  gateway: variablesOf(gateway),
  agent: variablesOf(agent),
  "runtime-node": variablesOf({ ...runtimeNode, ...agent }),
  provisioner: variablesOf(provisioner)
}

const common = [
  "volumes",
  "gateway",
  "provisioner",
  "registry",
  "s3-storage",
  "database",
  "victorialogs",
  "victoriatraces"
]

/** What a mode adds to the services of all. */
const own: Readonly<Record<Mode, ReadonlyArray<string>>> = {
  docker: ["agent"],
  containerd: ["runtime-node", "coredns"]
}

describe.each(["docker", "containerd"] as const)("the stack of compose/%s.yml", (mode) => {
  const { byName, secrets, services, text, volumes } = stackOf(mode)

  it("has every service of a stack, named after its project", () => {
    assert.sameMembers(Object.keys(byName), [...common, ...own[mode]])
    for (const [name, { container_name }] of services) {
      assert.strictEqual(container_name, `\${PROJECT_NAME:-esb-default}-${name}`)
    }
  })

  it("looks after the health of every service that stays, without a shell where an image has none, and starts it again", () => {
    for (const [name, { healthcheck, restart }] of services) {
      if (oneShots.has(name)) {
        assert.deepStrictEqual([healthcheck.disable, restart], [true, "no"], name)
      } else {
        if (unasked.has(name)) assert.isTrue(healthcheck.disable, name)
        else assert.strictEqual(healthcheck.test?.[0], "CMD", name)
        assert.strictEqual(restart, "unless-stopped", name)
      }
    }
    assert.deepStrictEqual(byName["provisioner"]?.profiles, ["deploy"])
  })

  it("limits memory, processors, processes and logs of every service", () => {
    for (const [name, { cpus, logging, mem_limit, pids_limit }] of services) {
      assert.match(mem_limit, unlimited.has(name) ? /:-0\}$/ : /\d(m|g)\}?$/, name)
      assert.match(String(cpus), /^(\$\{[A-Z0-9_]+:-)?\d+(\.\d+)?\}?$/, name)
      assert.isTrue(Number.isInteger(pids_limit), `${name}: Compose 1.29 takes no variable here`)
      assert.deepStrictEqual(Object.keys(logging.options), ["max-size", "max-file"], name)
    }
  })

  it("runs nobody as root and with rights that he does not need, but for reasons", () => {
    for (const [name, service] of services) {
      assert.include(service.security_opt ?? [], "no-new-privileges:true", name)
      assert.strictEqual(service.privileged !== undefined, privileged.has(name), name)
      if (!privileged.has(name)) {
        assert.lengthOf(service.security_opt ?? [], 1, name)
        assert.deepStrictEqual(service.cap_drop, ["ALL"], name)
      }
      if (otherUsers.has(name)) continue
      assert.strictEqual(service.user, "${RUN_UID:-10001}:${RUN_GID:-10001}", name)
      assert.isTrue(service.read_only, name)
    }
  })

  it("pins every image that is pulled to a release, and names ours by variables", () => {
    const programs = programsOf[mode]
    const ours = programs.map((program) => `\${ESB_REGISTRY:-}esb-${program}:\${ESB_TAG:-latest}`)
    for (const [name, { image }] of services) {
      if (!ours.includes(image)) assert.match(image, /^[a-z/-]+:v?\d+\.\d+\.\d+$/, name)
    }
    for (const program of programs) {
      assert.match(read(`images/${program}.Dockerfile`), /^ARG ESB_NODE_IMAGE=node:\d+\.\d+\.\d+-/m)
    }
  })

  it("gives every variable a default, or says what it is when it is missing", () => {
    const variables = [...text.matchAll(/\$\{([^}]*)\}/g)].map(([, inside = ""]) => inside)
    assert.isAbove(variables.length, 50)
    for (const variable of variables) assert.match(variable, /^[A-Z0-9_]+(:-.*|:\?.{10,})$/)
  })

  it("tells our programs nothing that they have no setting for", () => {
    for (const name of programsOf[mode]) {
      const settings = known[name]
      const told = Object.keys(byName[name]?.environment ?? {}).filter((variable) => !ofEverybody.has(variable))
      assert.isAbove(told.length, 5, name)
      assert.deepStrictEqual(
        told.filter((variable) => !settings.has(variable)),
        [],
        name
      )
    }
  })

  it("tells secrets by file alone", () => {
    const files = Object.values(byName).flatMap(({ environment = {} }) =>
      Object.entries(environment).flatMap(([name, value]) => (name.endsWith("_FILE") ? [value] : []))
    )
    const paths = Object.keys(secrets).map((secret) => `/run/secrets/${secret}`)
    assert.sameMembers([...new Set(files)], paths)
    for (const { environment = {} } of Object.values(byName)) {
      for (const name of Object.keys(environment)) assert.notMatch(name, /(SECRET|PASS|SECRET_KEY|X_API_KEY)$/)
    }
    for (const secret of Object.values(secrets)) assert.match(secret.file, /^\$\{SECRETS_DIR:\?/)
  })

  it("opens nothing but the Gateway to other machines", () => {
    for (const [name, { ports = [] }] of services) {
      for (const port of ports) {
        assert.isTrue(
          port.startsWith(name === "gateway" ? "${GATEWAY_BIND:-0.0.0.0}:" : "${ESB_PUBLISH_ADDRESS:-127.0.0.1}:")
        )
      }
    }
  })

  it("keeps the state of everybody on a volume, and stops those who drain after they have had the time", () => {
    for (const name of Object.keys(volumes)) {
      assert.isTrue(text.includes(`- ${name}:/`) || text.includes(`:-${name}}:/`), `nobody mounts the volume ${name}`)
    }
    for (const name of ["gateway", mode === "docker" ? "agent" : "runtime-node"]) {
      const { environment, stop_grace_period: grace = "" } = byName[name] ?? {}
      const seconds = (written: string) => Number(/:-(\d+)s?\}$/.exec(written)?.[1])
      assert.isAbove(seconds(grace), seconds(environment?.["DRAIN_TIMEOUT"] ?? ""), name)
    }
  })
})
