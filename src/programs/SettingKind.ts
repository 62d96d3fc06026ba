/** The kinds of settings: how a value is written, and what a setting of that kind is made of. */
import { ByteSize as Bytes, Duration, Option, Redacted, Result } from "effect"
import { isIPv4 } from "node:net"
import * as Subnet from "#domain/Subnet"

/** How one kind of value is written: all values are text until a kind reads them. */
export interface Kind<A> {
  /** What a reader must write, to complete "expected …". */
  readonly expected: string
  /** A word for the value in `--help`. */
  readonly placeholder: string
  readonly read: (text: string) => Option.Option<A>
  /** What is wrong with a text that `read` refuses: each completes "NAME …". */
  readonly problems: (text: string) => ReadonlyArray<string>
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

/** A variable, or several of which the first that has a value counts. */
export type Names = string | readonly [string, ...Array<string>]

const names = (env: Names): readonly [string, ...Array<string>] => (typeof env === "string" ? [env] : env)

/** Makes settings of one kind: variable (or variables, in order), what it is for, default. */
export interface Constructor<A> {
  (env: Names, about: string, fallback: A): Setting<A>
  readonly kind: Kind<A>
}

/** Of most kinds a whole text is wrong, not a part of it. */
type Written<A> = Omit<Kind<A>, "problems"> & Partial<Pick<Kind<A>, "problems">>

const constructor = <A>(written: Written<A>): Constructor<A> => {
  const { expected, isSecret } = written
  const problems = (text: string) => [
    `${isSecret ? "cannot be used" : `is ${JSON.stringify(text)}`}: expected ${expected}`
  ]
  const kind: Kind<A> = { problems, ...written }
  return Object.assign(
    (env: Names, about: string, fallback: A): Setting<A> => ({
      env: names(env),
      about,
      kind: kind as Kind<unknown>,
      fallback: Result.succeed(fallback),
      toldFallback: isSecret ? undefined : kind.write(fallback),
      group: undefined
    }),
    { kind }
  )
}

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

/** A part of a whole: `0.05`. */
export const Share: Constructor<number> = constructor({
  ...open,
  expected: "a number from 0 to 1",
  placeholder: "share",
  read: number(/^\d*\.?\d+$/, 0, 1)
})

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

/** Where something answers HTTP: `http://database:8000`. */
export const HttpUrl: Constructor<string> = constructor({
  ...open,
  expected: "a URL, such as http://127.0.0.1:9000",
  placeholder: "url",
  read: (text) => (/^https?:\/\/./.test(text) && URL.canParse(text) ? Option.some(text) : Option.none())
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

/** An address of four numbers. */
export const Ipv4Address: Constructor<string> = constructor({
  ...open,
  expected: "an address, such as 10.88.0.1",
  placeholder: "address",
  read: (text) => (isIPv4(text) ? Option.some(text) : Option.none())
})

/** A network of such addresses. */
export const Ipv4Network: Constructor<Subnet.Subnet> = constructor({
  expected: "an IPv4 network of 4 addresses or more, such as 10.88.0.0/16",
  placeholder: "network",
  read: (text) => Result.getSuccess(Subnet.parse(text)),
  write: Subnet.format,
  isSecret: false
})

/** One word that has a meaning of its own, or a value of the other kind. */
export const wordOr = <const W extends string, A>(word: W, { kind }: Constructor<A>): Constructor<W | A> => {
  const isWord = (value: W | A): value is W => value === word
  return constructor<W | A>({
    isSecret: kind.isSecret,
    expected: `${word}, or ${kind.expected}`,
    placeholder: `${word}|${kind.placeholder}`,
    read: (text) => (text.toLowerCase() === word ? Option.some(word) : kind.read(text)),
    write: (value) => (isWord(value) ? value : kind.write(value))
  })
}

const wordsIn = (text: string): ReadonlyArray<string> =>
  text
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "")

const words = { placeholder: "a,b,…", isSecret: false }

/** Words separated by commas. */
export const List: Constructor<ReadonlyArray<string>> = constructor<ReadonlyArray<string>>({
  ...words,
  expected: "words separated by commas",
  read: (text) => Option.some(wordsIn(text)),
  write: (list) => list.join(",")
})

/** How each word of a list is written. */
export interface Word<A> {
  /** What it has to be, to complete "expected …". */
  readonly expected: string
  readonly read: (word: string) => Result.Result<A, unknown>
  readonly write: (value: A) => string
}

/** Words separated by commas, of which each means something. Every one that is wrong is told. */
export const ListOf = <A>({ expected, read, write }: Word<A>): Constructor<ReadonlyArray<A>> => {
  const isWrong = (word: string): boolean => Result.isFailure(read(word))
  return constructor<ReadonlyArray<A>>({
    ...words,
    expected: `words separated by commas, each ${expected}`,
    read: (text) => Result.getSuccess(Result.all(wordsIn(text).map(read))),
    problems: (text) =>
      wordsIn(text)
        .filter(isWrong)
        .map((word) => `has ${JSON.stringify(word)}: expected ${expected}`),
    write: (list) => list.map(write).join(",")
  })
}

/** Kept out of logs, help and process lists. */
export const Secret: Constructor<Redacted.Redacted> = constructor({
  expected: "text that is not empty",
  placeholder: "secret",
  read: (text) => Option.map(Option.some(text), (value) => Redacted.make(value)),
  write: () => "",
  isSecret: true
})
