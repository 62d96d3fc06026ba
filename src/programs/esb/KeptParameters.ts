/** The parameters of the last deploy, kept in the home: as in CloudFormation, a value stays until another one is given. */
import { Effect, Schema } from "effect"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { attempt, replaceFile } from "./Home.ts"
import { CommandFailed } from "./Refusal.ts"

const Parameters = Schema.Record(Schema.String, Schema.String)
export type Parameters = typeof Parameters.Type

const pathIn = (home: string) => join(home, "config", "parameters.json")

/** None when nothing was deployed in this home yet. */
export const read = Effect.fnUntraced(function* (home: string) {
  const path = pathIn(home)
  const text = yield* attempt(`${path} cannot be read`, () =>
    readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "{}"
      throw error
    })
  )
  return yield* Schema.decodeEffect(Schema.fromJsonString(Parameters))(text).pipe(
    Effect.mapError(
      () => new CommandFailed({ message: `${path} is damaged: remove it, and name all parameters again` })
    )
  )
})

/** Only the owner may read them: a parameter may be a password. */
export const write = (home: string, parameters: Parameters) =>
  attempt("The parameters cannot be kept", () =>
    replaceFile(pathIn(home), `${JSON.stringify(parameters, null, 2)}\n`, 0o600)
  )
