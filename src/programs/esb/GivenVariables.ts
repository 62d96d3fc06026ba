/**
 * What `esb up` was told of a stack in containers by flags and by its environment, kept in the home: as a parameter of a template,
 * a value stays until another one is given, from whichever shell. An empty variable takes one back.
 */
import { ConfigProvider, Effect, Option, Schema } from "effect"
import { readFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import * as Setting from "../Setting.ts"
import { certificates } from "./CertificateSettings.ts"
import * as ComposeVariables from "./ComposeVariables.ts"
import { attempt, replaceFile } from "./Home.ts"
import { CommandFailed } from "./Refusal.ts"
import { resolved } from "./Resolved.ts"
import type { ContainerMode } from "./RunFile.ts"
import * as StackPlan from "./StackPlan.ts"
import { inContainers } from "./StackSettings.ts"

/** By the names of variables. */
const Variables = Schema.Record(Schema.String, Schema.String)
export type Variables = typeof Variables.Type

/** Variables that speak of one thing: which of them is said now takes the place of all that was said before. */
type Subject = ReadonlyArray<string>

/** What is said now, else what was said before. */
const merge = (kept: Variables, said: Environment, subjects: ReadonlyArray<Subject>): Variables =>
  Object.fromEntries(
    subjects.flatMap((names) => {
      const source = names.some((name) => said[name] !== undefined) ? said : kept
      return names.flatMap((name) => (source[name] ? [[name, source[name]] as const] : []))
    })
  )

type Environment = Readonly<Record<string, string | undefined>>

/** Of one start, not of the stack. */
const passing: ReadonlySet<string> = new Set([
  "mode",
  "port",
  "host",
  "open",
  "allowUnsupported",
  "buildConcurrency",
  "watch",
  "agent",
  "drainTimeout",
  "verbose",
  "cache"
])

const lasting: Setting.Settings = {
  ...Object.fromEntries(Object.entries(inContainers).filter(([key]) => !passing.has(key))),
  certificateDirectory: certificates.directory
}

const subjectOf = ({ env, kind }: Setting.Setting<unknown>): Subject =>
  kind.isSecret ? env.flatMap((name) => [name, `${name}_FILE`]) : env

const subjects = Object.values(lasting).map(subjectOf)

/** What `esb` finds out by itself. */
const found: ReadonlySet<string> = new Set([
  "CNI_GW_IP",
  "CONFIG_DIR",
  "DOCKER_GID",
  "DOCKER_SOCKET",
  "RUN_GID",
  "RUN_UID",
  "SECRETS_DIR"
])

/** From elsewhere, a path means the same. */
const fromAnywhere = ([name, value]: readonly [string, string | undefined]) => {
  const isPath = name.endsWith("_FILE") || name === "ESB_CERT_DIR" || name === "CERT_DIR"
  if (!value || (!isPath && name !== "ESB_COMPOSE_FILES")) return [name, value] as const
  const paths = isPath ? [value] : value.split(",").map((path) => path.trim())
  return [name, paths.map((path) => (path === "" ? "" : resolve(path))).join(",")] as const
}

/** A flag wins over the variables of its setting. */
const saidBy = (flags: Setting.Given<typeof inContainers>, environment: Environment): Environment => {
  const byFlag = Object.entries(lasting).flatMap(([key, setting]) => {
    const value = Option.getOrUndefined(flags[key as keyof typeof inContainers] ?? Option.none())
    return value === undefined ? [] : [{ names: subjectOf(setting), name: setting.env[0], value }]
  })
  const overruled = new Set(byFlag.flatMap(({ names }) => names))
  return Object.fromEntries(
    [
      ...Object.entries(environment).filter(([name]) => !overruled.has(name)),
      ...byFlag.map(({ name, value }) => [name, value] as const)
    ].map(fromAnywhere)
  )
}

const pathIn = (home: string) => join(home, "given.json")

const read = Effect.fnUntraced(function* (home: string) {
  const path = pathIn(home)
  const text = yield* attempt(`${path} cannot be read`, () =>
    readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "{}"
      throw error
    })
  )
  return yield* Schema.decodeEffect(Schema.fromJsonString(Variables))(text).pipe(
    Effect.mapError(() => new CommandFailed({ message: `${path} is damaged: remove it, and give its values again` }))
  )
})

/** Only the owner may read them: there may be secrets among them. */
export const write = (home: string, given: Variables) =>
  attempt("What was given cannot be kept", () =>
    replaceFile(pathIn(home), `${JSON.stringify(given, null, 2)}\n`, 0o600)
  )

/** What counts for a stack: its settings, and what its Compose files are told besides. */
export const find = Effect.fnUntraced(function* (
  home: string,
  mode: ContainerMode,
  flags: Setting.Given<typeof inContainers>,
  environment: Environment
) {
  const kept = yield* read(home)
  const said = saidBy(flags, environment)
  const ofSettings = merge(kept, said, subjects)
  const settled = new Set(subjects.flat())
  const rest = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined || settled.has(name) ? [] : [[name, value] as const]
  )
  const config = ConfigProvider.fromEnv({ env: { ...Object.fromEntries(rest), ...ofSettings } })
  const settings = yield* resolved(inContainers, flags).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, config)
  )

  const names = yield* ComposeVariables.of(StackPlan.composeFilesOf(mode, settings))
  const others = [...names].filter((name) => !settled.has(name) && !found.has(name))
  const variables = merge(
    kept,
    environment,
    others.map((name) => [name])
  )
  const given = { ...ofSettings, ...variables }
  return {
    settings,
    /** Answers as an environment would that says all of it. */
    config,
    /** Of the Compose files, besides the settings. */
    variables,
    given,
    /** Names of what counts because it was given before. */
    fromBefore: Object.keys(given).filter((name) => !said[name])
  }
})
