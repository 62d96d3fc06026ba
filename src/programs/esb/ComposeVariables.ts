/** The variables of Compose files: what a reader of them may set. */
import { Effect } from "effect"
import { readFile } from "node:fs/promises"

/** Programs go by them, Compose itself among them: a file that mentions one reads it from whoever runs Compose now. */
const everyPrograms: ReadonlySet<string> = new Set([
  "DOCKER_CONFIG",
  "DOCKER_HOST",
  "HOME",
  "LANG",
  "LOGNAME",
  "PATH",
  "PWD",
  "SHELL",
  "TERM",
  "TMPDIR",
  "USER"
])

/** `$NAME` and `${NAME…}`; `$$` is a dollar sign. */
export const namesIn = (text: string): ReadonlySet<string> =>
  new Set(
    [...text.replaceAll("$$", "").matchAll(/\$\{?([A-Za-z_][A-Za-z0-9_]*)/g)]
      .flatMap(([, name]) => name ?? [])
      .filter((name) => !everyPrograms.has(name))
  )

/** Of all these files. One that cannot be read has none: Compose says what is wrong with it. */
export const of = (files: ReadonlyArray<string>): Effect.Effect<ReadonlySet<string>> =>
  Effect.forEach(files, (file) => Effect.promise(() => readFile(file, "utf8").catch(() => ""))).pipe(
    Effect.map((texts) => namesIn(texts.join("\n")))
  )
