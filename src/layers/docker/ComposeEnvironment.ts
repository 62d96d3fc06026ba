/** The text of an `--env-file` that every Compose reads alike. */
import { Result, Schema } from "effect"

/** A value that versions of Compose read differently. */
export class UnwritableValue extends Schema.TaggedError<UnwritableValue>()("UnwritableValue", {
  name: Schema.String,
  value: Schema.String
}) {
  override get message() {
    return `${this.name} is ${JSON.stringify(this.value)}: a backslash, \${ and a carriage return cannot be told to Compose`
  }
}

/** Compose 1.29 takes a backslash for an escape, and `${` for a variable, even inside single quotes; 2.x takes neither. */
const isReadDifferently = (value: string): boolean => /[\\\r\0]|\$\{/.test(value)

/** In single quotes `$`, `#`, spaces, double quotes and line ends mean themselves, and `\'` is a quote. */
const lineOf = ([name, value]: readonly [string, string]) => `${name}='${value.replaceAll("'", "\\'")}'\n`

export const text = (variables: Readonly<Record<string, string>>): Result.Result<string, UnwritableValue> => {
  const entries = Object.entries(variables)
  const bad = entries.find(([, value]) => isReadDifferently(value))
  return bad === undefined
    ? Result.succeed(entries.map(lineOf).join(""))
    : Result.fail(new UnwritableValue({ name: bad[0], value: bad[1] }))
}

/** The names that such a text has values for. */
export const namesIn = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/^([A-Za-z_][A-Za-z0-9_]*)='/gm)].flatMap(([, name]) => name ?? [])
