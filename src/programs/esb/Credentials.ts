/** Secrets of one stack: made once, kept in its home, never shown unasked. */
import { Effect, Redacted, Schema } from "effect"
import { randomInt } from "node:crypto"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { attempt, replaceFile } from "./Home.ts"
import { CommandFailed } from "./Refusal.ts"

const Stored = Schema.Struct({
  accessKeyId: Schema.NonEmptyString,
  secretAccessKey: Schema.NonEmptyString,
  jwtSecretKey: Schema.String.check(Schema.isMinLength(32)),
  apiKey: Schema.NonEmptyString,
  authUser: Schema.NonEmptyString,
  authPass: Schema.NonEmptyString,
  /** Root's secret at the S3 store of a stack in containers; homes of before have none. */
  storeSecret: Schema.optionalKey(Schema.NonEmptyString)
})
type Complete = Required<typeof Stored.Type>
const StoredText = Schema.fromJsonString(Stored)

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: Redacted.Redacted
  readonly jwtSecretKey: Redacted.Redacted
  readonly apiKey: Redacted.Redacted
  readonly authUser: string
  readonly authPass: Redacted.Redacted
  readonly storeSecret: Redacted.Redacted
}

const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
const mixed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

const random = (alphabet: string, length: number): string =>
  Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join("")

/** As long as AWS's own, so that every SDK takes them; the prefix keeps them apart from AWS's. */
const generate = (): Complete => ({
  accessKeyId: `ESBA${random(upper, 16)}`,
  secretAccessKey: random(mixed, 40),
  jwtSecretKey: random(mixed, 64),
  apiKey: random(mixed, 40),
  authUser: "admin",
  authPass: random(mixed, 24),
  storeSecret: random(mixed, 40)
})

const redact = (stored: Complete): Credentials => ({
  accessKeyId: stored.accessKeyId,
  secretAccessKey: Redacted.make(stored.secretAccessKey),
  jwtSecretKey: Redacted.make(stored.jwtSecretKey),
  apiKey: Redacted.make(stored.apiKey),
  authUser: stored.authUser,
  authPass: Redacted.make(stored.authPass),
  storeSecret: Redacted.make(stored.storeSecret)
})

const keep = (path: string, stored: Complete) =>
  attempt(`${path} cannot be written`, async () => {
    await replaceFile(path, `${JSON.stringify(stored, null, 2)}\n`, 0o600)
    return stored
  })

/** The credentials of a home, made now when it has none. A file that cannot be read is not overwritten. */
export const ensure = Effect.fnUntraced(function* (home: string) {
  const path = join(home, "credentials.json")
  const text = yield* attempt(`${path} cannot be read`, () =>
    readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined
      throw error
    })
  )
  if (text !== undefined) {
    const stored = yield* Schema.decodeEffect(StoredText)(text).pipe(
      Effect.mapError(
        () =>
          new CommandFailed({
            message: `${path} is damaged: remove it, and new credentials are made at the next start`
          })
      )
    )
    const { storeSecret } = stored
    return redact(
      storeSecret === undefined ? yield* keep(path, { ...generate(), ...stored }) : { ...stored, storeSecret }
    )
  }
  return redact(yield* keep(path, generate()))
})
