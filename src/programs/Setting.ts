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
import { ByteSize as Bytes, Config, Duration, Effect, FileSystem, Option, Redacted, Result } from "effect"
import { Flag as CliFlag } from "effect/cli"

/** How one kind of value is written: all values are text until a kind reads them. */
export interface Kind<A> {
  /** What a reader must write, to complete "expected …". */
  readonly expected: string
  /** A word for the value in `--help`. */
  readonly placeholder: string
  readonly read: (text: string) => Option.Option<A>
  readonly write: (value: A) => string
  /** Read from the environment or from the file that `<NAME>_FILE` names, never from the command line, and never shown. */
  readonly isSecret: boolean
}

export interface Setting<A> {
  /** Environment variables, the first that has a value wins. An empty value is no value. */
  readonly env: readonly [string, ...Array<string>]
  readonly about: string
  readonly kind: Kind<unknown>
  readonly fallback: Result.Result<A, "required">
  /** The default as `--help` tells it; `undefined` when there is none or it is a secret. */
  readonly toldFallback: string | undefined
  readonly group: string | undefined
  readonly "~value"?: A
}

export type Settings = Readonly<Record<string, Setting<unknown>>>

/** What a program's main act receives. */
export type Values<S> = { readonly [K in keyof S]: S[K] extends Setting<infer A> ? A : never }

type Names = string | readonly [string, ...Array<string>]

const names = (env: Names): readonly [string, ...Array<string>] => (typeof env === "string" ? [env] : env)

/** Makes settings of one kind: variable (or variables, in order), what it is for, default. */
export interface Constructor<A> {
  (env: Names, about: string, fallback: A): Setting<A>
  readonly kind: Kind<A>
}

const constructor = <A>(kind: Kind<A>): Constructor<A> =>
  Object.assign(
    (env: Names, about: string, fallback: A): Setting<A> => ({
      env: names(env),
      about,
      kind: kind as Kind<unknown>,
      fallback: Result.succeed(fallback),
      toldFallback: kind.isSecret ? undefined : kind.write(fallback),
      group: undefined
    }),
    { kind }
  )

/** A setting that may be absent. `told` says in words what happens then. */
export const optional =
  <A>(of: Constructor<A>) =>
  (env: Names, about: string, told?: string): Setting<A | undefined> => ({
    env: names(env),
    about,
    kind: of.kind as Kind<unknown>,
    fallback: Result.succeed(undefined),
    toldFallback: told,
    group: undefined
  })

/** A setting without which the program does not start. */
export const required =
  <A>(of: Constructor<A>) =>
  (env: Names, about: string): Setting<A> => ({
    env: names(env),
    about,
    kind: of.kind as Kind<unknown>,
    fallback: Result.fail("required"),
    toldFallback: undefined,
    group: undefined
  })

/** Puts settings under one heading of `--help`. */
export const group = <S extends Settings>(heading: string, settings: S): S =>
  Object.fromEntries(Object.entries(settings).map(([key, setting]) => [key, { ...setting, group: heading }])) as S

const open = { write: String, isSecret: false }

const number = (pattern: RegExp, min: number, max: number) => (text: string) =>
  pattern.test(text) && Number(text) >= min && Number(text) <= max ? Option.some(Number(text)) : Option.none()

/** A whole number between two bounds, both included. */
export const Int = (bounds: { readonly min?: number; readonly max?: number } = {}): Constructor<number> => {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = bounds
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`
  return constructor({
    ...open,
    expected: `a whole number, ${range}`,
    placeholder: "number",
    read: number(/^[+-]?\d+$/, min, max)
  })
}

/** A TCP port; 0 asks the system for a free one. */
export const Port: Constructor<number> = constructor({
  ...open,
  expected: "a port, 0 to 65535",
  placeholder: "port",
  read: number(/^\d+$/, 0, 65_535)
})

/** Ports from the first to the last, both included: `20000-29999`. */
export const PortRange: Constructor<{ readonly first: number; readonly last: number }> = constructor({
  expected: "two ports, such as 20000-29999",
  placeholder: "first-last",
  read: (text) => {
    const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? []
    const range = { first: Number(first), last: Number(last) }
    return range.first >= 1 && range.first <= range.last && range.last <= 65_535 ? Option.some(range) : Option.none()
  },
  write: ({ first, last }) => `${first}-${last}`,
  isSecret: false
})

export const Text: Constructor<string> = constructor({
  ...open,
  expected: "text",
  placeholder: "text",
  read: Option.some
})

export const OneOf = <const L extends ReadonlyArray<string>>(choices: L): Constructor<L[number]> =>
  constructor<L[number]>({
    ...open,
    expected: `one of ${choices.join(", ")}`,
    placeholder: choices.join("|"),
    read: (text) => Option.fromUndefinedOr(choices.find((choice) => choice.toLowerCase() === text.toLowerCase()))
  })

const truth = new Map([
  ...["1", "true", "yes", "on"].map((word) => [word, true] as const),
  ...["0", "false", "no", "off"].map((word) => [word, false] as const)
])

/** On or off: `1/0`, `true/false`, `yes/no`, `on/off`; as a flag `--name` and `--no-name`. */
export const Flag: Constructor<boolean> = constructor({
  ...open,
  expected: "1, true, yes, on, or 0, false, no, off",
  placeholder: "boolean",
  read: (text) => Option.fromUndefinedOr(truth.get(text.toLowerCase()))
})

/** A time, written as seconds: `30`, `0.5`. */
export const Seconds: Constructor<Duration.Duration> = constructor({
  expected: "seconds, such as 30 or 0.5",
  placeholder: "seconds",
  read: (text) => Option.map(number(/^\d+(\.\d+)?$/, 0, 1e9)(text), Duration.seconds),
  write: (duration) => String(Duration.toSeconds(duration)),
  isSecret: false
})

/** An amount of bytes: `10485760`, `10MiB`. */
export const ByteSize: Constructor<Bytes.ByteSize> = constructor({
  expected: "bytes, such as 10485760 or 10MiB",
  placeholder: "bytes",
  read: (text) => (/^\d+$/.test(text) ? Option.some(Bytes.bytes(BigInt(text))) : Bytes.fromString(text)),
  write: (size) => String(Bytes.toBigInt(size)),
  isSecret: false
})

/** Words separated by commas. */
export const List: Constructor<ReadonlyArray<string>> = constructor<ReadonlyArray<string>>({
  expected: "words separated by commas",
  placeholder: "a,b,…",
  read: (text) =>
    Option.some(
      text
        .split(",")
        .map((word) => word.trim())
        .filter((word) => word !== "")
    ),
  write: (words) => words.join(","),
  isSecret: false
})

/** Kept out of logs, help and process lists. */
export const Secret: Constructor<Redacted.Redacted> = constructor({
  expected: "text that is not empty",
  placeholder: "secret",
  read: (text) => Option.map(Option.some(text), (value) => Redacted.make(value)),
  write: () => "",
  isSecret: true
})

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
  const fileSystem = yield* FileSystem.FileSystem
  const lookUp = (variable: string) =>
    Config.option(Config.NonEmptyString(variable)).pipe(
      // An empty variable is an absent one: Compose passes every variable it knows, set or not.
      Effect.orElseSucceed(() => Option.none<string>())
    )
  for (const variable of setting.env) {
    const value = yield* lookUp(variable)
    if (Option.isSome(value)) return { variable, text: value }
    if (!setting.kind.isSecret) continue
    const path = yield* lookUp(`${variable}_FILE`)
    if (Option.isNone(path)) continue
    const text = yield* fileSystem
      .readFileString(path.value)
      .pipe(Effect.mapError((cause) => `cannot be read from ${variable}_FILE=${path.value}: ${cause.message}`))
    return { variable, text: Option.some(text.replace(/\r?\n$/, "")) }
  }
  return { variable: setting.env[0], text: Option.none<string>() }
})

const resolveOne = Effect.fnUntraced(function* (key: string, setting: Setting<unknown>, given: Option.Option<string>) {
  const { text } = Option.isSome(given)
    ? { text: given }
    : yield* fromEnvironment(setting).pipe(Effect.mapError((problem) => complain(key, setting, problem)))
  if (Option.isNone(text)) {
    return yield* Result.match(setting.fallback, {
      onSuccess: (value) => Effect.succeed(value),
      onFailure: () => Effect.fail(complain(key, setting, `is required: expected ${setting.kind.expected}`))
    })
  }
  const value = setting.kind.read(text.value.trim())
  if (Option.isSome(value)) return value.value
  const found = setting.kind.isSecret ? "cannot be used" : `is ${JSON.stringify(text.value)}`
  return yield* Effect.fail(complain(key, setting, `${found}: expected ${setting.kind.expected}`))
})

/** The values of all settings; fails with every complaint at once. */
export const resolve = Effect.fnUntraced(function* <S extends Settings>(settings: S, given: Given<S>) {
  const read = yield* Effect.forEach(Object.entries(settings), ([key, setting]) =>
    resolveOne(key, setting, given[key] ?? Option.none()).pipe(
      Effect.map((value) => [key, value] as const),
      Effect.result
    )
  )
  const complaints = read.filter(Result.isFailure).map((result) => result.failure)
  if (complaints.length > 0) return yield* Effect.fail(complaints)
  return Object.fromEntries(read.filter(Result.isSuccess).map((result) => result.success)) as Values<S>
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
