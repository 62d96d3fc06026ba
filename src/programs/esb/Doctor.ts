/** `esb doctor`: what each mode needs, what of it is here, and how to get the rest. */
import { Effect } from "effect"
import { access } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as CertificateFindings from "./CertificateFindings.ts"
import { certificates, directoryIn } from "./CertificateSettings.ts"
import * as ContainerdFindings from "./ContainerdFindings.ts"
import * as DockerFindings from "./DockerFindings.ts"
import { inherited } from "./Environment.ts"
import { type Check, check, type Finding, firstLineOf, isFree, isWritable, kernelAllows, type Mode } from "./Finding.ts"
import * as GivenVariables from "./GivenVariables.ts"
import * as Home from "./Home.ts"
import { CommandFailed } from "./Refusal.ts"
import * as RegistryFindings from "./RegistryFindings.ts"
import type { RegistrySettings } from "./RegistrySettings.ts"
import { resolved } from "./Resolved.ts"
import * as RunFile from "./RunFile.ts"
import { onStdout, voice } from "./Voice.ts"

export interface DoctorFlags {
  readonly mode: Mode
  readonly port: number
}

const leastNode = [24, 7] as const

const nodeVersion = async (): Promise<string> => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  if (major < leastNode[0] || (major === leastNode[0] && minor < leastNode[1])) {
    throw new Error(`Node ${process.versions.node} runs this`)
  }
  return `Node ${process.versions.node} (${process.execPath})`
}

const gatewayProgram = fileURLToPath(new URL("./gateway.js", import.meta.url))

const embedded = (home: string, port: number): ReadonlyArray<Check> => [
  check({
    mode: "embedded",
    what: `Node ${leastNode.join(".")} or newer`,
    look: nodeVersion,
    remedy: "install it from https://nodejs.org, or run npm ci in the checkout, which brings one"
  }),
  check({
    mode: "embedded",
    what: "the Gateway's program",
    look: () => access(gatewayProgram).then(() => gatewayProgram),
    remedy: "run npm run build in the checkout"
  }),
  check({
    mode: "embedded",
    what: "a state directory that can be written to",
    look: () => isWritable(home),
    remedy: "choose another with --home or ESB_HOME"
  }),
  check({
    mode: "embedded",
    what: "a free port",
    isOptional: true,
    look: () => isFree(port),
    remedy: "choose another with --port, or --port 0 for any"
  }),
  check({
    mode: "embedded",
    what: "npm, for functions with dependencies",
    isOptional: true,
    look: () => firstLineOf("npm", "--version").then((version) => `npm ${version}`),
    remedy: "it comes with Node: https://nodejs.org"
  }),
  check({
    mode: "embedded",
    what: "esbuild, for functions in TypeScript",
    isOptional: true,
    look: () => import("esbuild").then(({ version }) => `esbuild ${version}`),
    remedy: "run npm ci in the checkout"
  }),
  check({
    mode: "embedded",
    what: "Python 3, for functions in Python",
    isOptional: true,
    look: () => firstLineOf("python3", "--version"),
    remedy: "install it from https://www.python.org or with your system's package manager"
  }),
  check({
    mode: "embedded",
    what: "pip, for Python functions with dependencies",
    isOptional: true,
    look: () => firstLineOf("python3", "-m", "pip", "--version"),
    remedy: "python3 -m ensurepip, or your system's package python3-pip"
  }),
  ...(process.platform === "linux"
    ? [
        check({
          mode: "embedded",
          what: "watches on directories",
          isOptional: true,
          look: () => kernelAllows("/proc/sys/fs/inotify/max_user_watches", 8192),
          remedy: "sysctl fs.inotify.max_user_watches=65536; without, some changes of code are not noticed"
        })
      ]
    : [])
]

const signs = { ok: "ok     ", missing: "missing", expired: "expired", advice: "advice " } as const
const styles = { ok: "green", missing: "red", expired: "red", advice: "yellow" } as const

const told = (findings: ReadonlyArray<Finding>): string =>
  [...Map.groupBy(findings, ({ mode }) => mode)]
    .map(([mode, group]) =>
      [
        onStdout("bold", mode),
        ...group.flatMap(({ detail, remedy, state, what }) => [
          `  ${onStdout(styles[state], signs[state])} ${what}: ${detail}`,
          ...(remedy === "" ? [] : [`          ${remedy}`])
        ])
      ].join("\n")
    )
    .join("\n\n")

/** A containerd is in a container of a Docker Engine. Embedded, `esb up --agent` renews certificates by itself. */
const needs = (mode: Mode, of: Finding["mode"]): boolean =>
  of === mode || (of === "docker" && mode === "containerd") || (of === "certificates" && mode !== "embedded")

/** Looks at all modes; fails when the chosen one lacks something it needs. */
export const examine = Effect.fnUntraced(function* (flags: DoctorFlags, registry: RegistrySettings) {
  const { result } = yield* voice
  const home = (yield* Home.find) ?? join(process.cwd(), ".esb")
  const certificateDirectory = directoryIn(home, yield* resolved(certificates, {}))
  const run = yield* RunFile.read(home)
  const containers = RunFile.isInContainers(run) ? run.mode : flags.mode === "containerd" ? flags.mode : "docker"
  const { settings } = yield* GivenVariables.find(home, containers, {}, inherited())
  const findings = [
    ...(yield* Effect.all(embedded(home, flags.port), { concurrency: 8 })),
    ...(yield* DockerFindings.findings(run, settings, containers)),
    ...(yield* ContainerdFindings.findings(settings)),
    ...(yield* RegistryFindings.findings(registry)),
    ...(yield* CertificateFindings.findings(certificateDirectory))
  ]
  const isReady = findings.every(({ mode, state }) => !needs(flags.mode, mode) || state === "ok" || state === "advice")
  yield* result({ mode: flags.mode, ready: isReady, findings }, () => told(findings))
  if (!isReady) return yield* new CommandFailed({ message: `The ${flags.mode} mode lacks something it needs.` })
})
