/**
 * Who Docker has been logged in as: the `config.json` of its client, and the credential helpers that it names.
 * @see https://docs.docker.com/reference/cli/docker/login/#credential-stores
 */
import { Effect, Redacted, Schema } from "effect"
import { Buffer } from "node:buffer"
import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import type { RegistryCredentials } from "./RegistrySettings.ts"

/** A login that Docker has cannot be had from where it keeps it. */
export class LoginUnavailable extends Schema.TaggedError<LoginUnavailable>()("LoginUnavailable", {
  /** The file, or the helper, that should tell it. */
  source: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Docker's logins cannot be had from ${this.source}: ${this.detail}`
  }
}

const Login = Schema.Struct({
  /** `user:password` in base64. */
  auth: Schema.optionalKey(Schema.String),
  identitytoken: Schema.optionalKey(Schema.String)
})

const ConfigFile = Schema.fromJsonString(
  Schema.Struct({
    auths: Schema.optionalKey(Schema.Record(Schema.String, Login)),
    credsStore: Schema.optionalKey(Schema.String),
    credHelpers: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
  })
)
type ConfigFile = typeof ConfigFile.Type

/** @see https://github.com/docker/docker-credential-helpers#development */
const HelperAnswer = Schema.fromJsonString(Schema.Struct({ Username: Schema.String, Secret: Schema.String }))

/** Limits of what a helper may take and say. */
const helperLimitMs = 30_000
const helperLimitBytes = 1_048_576

/** What Docker calls its own registry in this file. */
const dockersOwn = "https://index.docker.io/v1/"
/** The user name with which a helper gives a token instead of a password. */
const tokenUser = "<token>"

const hostOf = (key: string): string => {
  const host = key.replace(/^https?:\/\//, "").replace(/\/.*$/, "")
  return host === "index.docker.io" ? "docker.io" : host
}

const credentials = (username: string, secret: string): RegistryCredentials => ({
  username,
  password: Redacted.make(secret)
})

const readConfig = (path: string): Effect.Effect<ConfigFile, LoginUnavailable> =>
  Effect.tryPromise(() => readFile(path, "utf8")).pipe(
    // Nobody has logged in here.
    Effect.catchIf(
      ({ cause }) => (cause as NodeJS.ErrnoException).code === "ENOENT",
      () => Effect.succeed("{}")
    ),
    Effect.flatMap(Schema.decodeEffect(ConfigFile)),
    Effect.mapError(({ cause, message }) => {
      const detail = cause instanceof Error ? cause.message : message
      return new LoginUnavailable({ source: path, detail })
    })
  )

/** What a helper says of a host; `undefined` when it knows nothing of it. */
const ask = (helper: string, host: string): Effect.Effect<RegistryCredentials | undefined, LoginUnavailable> => {
  const program = `docker-credential-${helper}`
  const failed = (detail: string) => new LoginUnavailable({ source: program, detail: `${detail} (asked for ${host})` })
  return Effect.callback<string | undefined, LoginUnavailable>((resume) => {
    const options = { timeout: helperLimitMs, maxBuffer: helperLimitBytes }
    const child = execFile(program, ["get"], options, (error, stdout, stderr) => {
      // Helpers complain on stdout.
      const said = stdout.trim() || stderr.trim()
      if (error === null) resume(Effect.succeed(stdout))
      else if (/credentials not found/i.test(said)) resume(Effect.undefined)
      else if (error.code === "ENOENT") resume(Effect.fail(failed("there is no such program on the PATH")))
      else resume(Effect.fail(failed(said || error.message)))
    })
    // One that ends unasked is heard of above.
    child.stdin?.on("error", () => undefined)
    child.stdin?.end(host === "docker.io" ? dockersOwn : host)
    return Effect.sync(() => child.kill())
  }).pipe(
    Effect.flatMap((answer) =>
      answer === undefined
        ? Effect.undefined
        : Schema.decodeEffect(HelperAnswer)(answer).pipe(
            Effect.mapError(() => failed("it answers something else than a user and a secret"))
          )
    ),
    Effect.flatMap((told) => {
      if (told?.Username === tokenUser) return Effect.fail(failed("identity tokens are not supported"))
      return Effect.succeed(told === undefined ? undefined : credentials(told.Username, told.Secret))
    })
  )
}

const inFile = (path: string, host: string, { auths = {} }: ConfigFile) => {
  const [, login] = Object.entries(auths).find(([key]) => hostOf(key) === host) ?? []
  if (login?.identitytoken !== undefined && login.identitytoken !== "") {
    const detail = `that of ${host} is an identity token, which is not supported`
    return Effect.fail(new LoginUnavailable({ source: path, detail }))
  }
  const text = Buffer.from(login?.auth ?? "", "base64").toString("utf8")
  const colon = text.indexOf(":")
  return Effect.succeed(colon < 1 ? undefined : credentials(text.slice(0, colon), text.slice(colon + 1)))
}

/** The logins for some hosts, as references name them; a host without one is left out. Helpers are asked for these alone. */
export const forHosts = Effect.fnUntraced(function* (
  directory: string,
  hosts: ReadonlySet<string>
): Effect.fn.Return<ReadonlyMap<string, RegistryCredentials>, LoginUnavailable> {
  if (hosts.size === 0) return new Map()
  const path = join(directory, "config.json")
  const config = yield* readConfig(path)
  const found = yield* Effect.forEach(hosts, (host) => {
    const [, own] = Object.entries(config.credHelpers ?? {}).find(([key]) => hostOf(key) === host) ?? []
    const helper = own ?? (config.credsStore || undefined)
    return Effect.map(
      helper === undefined ? inFile(path, host, config) : ask(helper, host),
      (login) => [host, login] as const
    )
  })
  return new Map(found.flatMap(([host, login]) => (login === undefined ? [] : [[host, login] as const])))
})
