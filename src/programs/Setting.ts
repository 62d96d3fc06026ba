/**
 * One setting of one program, read from a flag, else from the environment, else the default. The same record gives the
 * flags, `--help` and docs/configuration.md. A value that cannot be read stops the start and names its variable.
 *
 * ```ts
 * export const settings = {
 *   ...Setting.group("Listening", { port: Setting.Port("PORT", "TCP port; 0 lets the system choose", 8080) }),
 *   ...Setting.group("Tokens", { jwtSecretKey: Setting.required(Setting.Secret)("JWT_SECRET_KEY", "Signs tokens") })
 * }
 * ```
 */
import { Array as Arr, Config, Effect, FileSystem, Option, Result } from "effect"
import { Flag as CliFlag } from "effect/cli"
import { Flag, type Kind, type Setting, type Settings, type Values } from "./SettingKind.ts"

export * from "./SettingKind.ts"

/** `jwtExpiresDelta` is given as `--jwt-expires-delta`. */
const flagName = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

type Flags<S> = { readonly [K in keyof S]: CliFlag.Flag<Option.Option<string>> }

/** What was given on the command line, still text. */
export type Given<S> = { readonly [K in keyof S]?: Option.Option<string> }

/**
 * The flags of a command, for `Command.make`; what they were given is what {@link resolve} takes. A secret has none: a
 * command line is told to every process of the machine.
 */
export const flags = <S extends Settings>(settings: S): Flags<S> =>
  Object.fromEntries(
    Object.entries(settings)
      .filter(([, { kind }]) => !kind.isSecret)
      .map(([key, setting]) => [key, flagOf(flagName(key), setting)])
  ) as Flags<S>

const flagOf = (name: string, { about, env, kind, toldFallback }: Setting<unknown>) => {
  const told = `${about} [${env[0]}${toldFallback ? `, default ${toldFallback}` : ""}]`
  return kind === (Flag.kind as Kind<unknown>)
    ? CliFlag.Boolean(name).pipe(CliFlag.map(String), CliFlag.withDescription(told), CliFlag.optional)
    : CliFlag.String(name).pipe(CliFlag.withDescription(told), CliFlag.withMetavar(kind.placeholder), CliFlag.optional)
}

/** One reason why a program does not start. */
export interface Complaint {
  readonly env: string
  readonly message: string
}

const complain = (key: string, setting: Setting<unknown>, problem: string): Complaint => ({
  env: setting.env[0],
  message: `${setting.env[0]}${setting.kind.isSecret ? "" : ` (--${flagName(key)})`} ${problem}`
})

/** The text of a variable, or of the file that `<NAME>_FILE` names when the setting is a secret. */
const fromEnvironment = Effect.fnUntraced(function* (setting: Setting<unknown>) {
  const lookUp = (variable: string) =>
    Config.option(Config.NonEmptyString(variable)).pipe(
      // An empty variable is an absent one: Compose passes every variable it knows, set or not.
      Effect.orElseSucceed(() => Option.none<string>())
    )
  for (const variable of setting.env) {
    const value = yield* lookUp(variable)
    const path = setting.kind.isSecret ? yield* lookUp(`${variable}_FILE`) : Option.none()
    if (Option.isSome(value) && Option.isSome(path)) {
      return yield* Effect.fail(`is given twice, by itself and by ${variable}_FILE`)
    }
    if (Option.isSome(value)) return value
    if (Option.isSome(path)) return Option.some(yield* secretIn(path.value, `${variable}_FILE`))
  }
  return Option.none<string>()
})

/** An editor's line end is no part of a secret. */
const secretIn = Effect.fnUntraced(function* (path: string, variable: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const text = yield* fileSystem
    .readFileString(path)
    .pipe(Effect.mapError((cause) => `cannot be read from ${variable}=${path}: ${cause.message}`))
  const secret = text.replace(/\r?\n$/, "")
  return secret.trim() === ""
    ? yield* Effect.fail(`cannot be read from ${variable}=${path}: the file is empty`)
    : secret
})

const resolveOne = Effect.fnUntraced(function* (key: string, setting: Setting<unknown>, given: Option.Option<string>) {
  const refuse = (...problems: ReadonlyArray<string>) =>
    Effect.fail(problems.map((problem) => complain(key, setting, problem)))
  const text = Option.isSome(given)
    ? given
    : yield* Effect.catch(fromEnvironment(setting), (problem) => refuse(problem))
  if (Option.isNone(text)) {
    return yield* Result.match(setting.fallback, {
      onSuccess: (value) => Effect.succeed(value),
      onFailure: () => refuse(`is required: expected ${setting.kind.expected}`)
    })
  }
  const value = setting.kind.read(text.value.trim())
  return Option.isSome(value) ? value.value : yield* refuse(...setting.kind.problems(text.value))
})

/** The values of all settings; fails with every complaint at once. */
export const resolve = Effect.fnUntraced(function* <S extends Settings>(settings: S, given: Given<S>) {
  const read = yield* Effect.forEach(Object.entries(settings), ([key, setting]) =>
    resolveOne(key, setting, given[key] ?? Option.none()).pipe(
      Effect.map((value) => [key, value] as const),
      Effect.result
    )
  )
  const [values, complaints] = Arr.separate(read)
  if (complaints.length > 0) return yield* Effect.fail(complaints.flat())
  return Object.fromEntries(values) as Values<S>
})

/** One line of `--help` and of docs/configuration.md. */
export interface Row {
  readonly group: string
  /** `--port <port>`; a secret has none. */
  readonly flag: string | undefined
  /** `PORT`, or `AGENT_LOG_LEVEL, LOG_LEVEL`; of a secret also `NAME_FILE`. */
  readonly env: string
  readonly about: string
  readonly expected: string
  readonly isRequired: boolean
  /** The default in words. */
  readonly fallback: string
}

const rowOf = (key: string, setting: Setting<unknown>): Row => ({
  group: setting.group ?? "Settings",
  flag: setting.kind.isSecret
    ? undefined
    : setting.kind === (Flag.kind as Kind<unknown>)
      ? `--${flagName(key)}, --no-${flagName(key)}`
      : `--${flagName(key)} <${setting.kind.placeholder}>`,
  env: setting.kind.isSecret ? `${setting.env.join(", ")} or ${setting.env[0]}_FILE` : setting.env.join(", "),
  about: setting.about,
  expected: setting.kind.expected,
  isRequired: Result.isFailure(setting.fallback),
  fallback: setting.toldFallback === undefined || setting.toldFallback === "" ? "none" : setting.toldFallback
})

export const rows = (settings: Settings): ReadonlyArray<Row> =>
  Object.entries(settings).map(([key, setting]) => rowOf(key, setting))

/** What a description says of settings that have no flag. */
export const environmentOnly = (settings: Settings): string =>
  rows(settings)
    .filter(({ flag }) => flag === undefined)
    .map(({ about, env, fallback }) => `${env}: ${about}, default ${fallback}`)
    .join("\n")
