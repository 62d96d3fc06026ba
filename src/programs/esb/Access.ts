/** The credentials of a stack while it runs: those of its home, unless the settings name others, and a token made of them. */
import { Duration, Effect, Redacted } from "effect"
import * as Tokens from "#layers/auth/Tokens"
import * as Credentials from "./Credentials.ts"
import { WrongUsage } from "./Refusal.ts"
import type { UpSettings } from "./Settings.ts"

/** As long as a stack may reasonably run: a new start makes a new token. */
const tokenLifetime = Duration.days(365)

const shortestSecret = 32

export interface Access extends Credentials.Credentials {
  /** Good at every door of the Gateway. */
  readonly token: Redacted.Redacted
}

export const make = Effect.fnUntraced(function* (home: string, settings: UpSettings) {
  const own = yield* Credentials.ensure(home)
  const jwtSecretKey = settings.jwtSecretKey ?? own.jwtSecretKey
  if (Redacted.value(jwtSecretKey).length < shortestSecret) {
    return yield* new WrongUsage({ message: `JWT_SECRET_KEY must have at least ${shortestSecret} characters` })
  }
  const tokens = yield* Tokens.make({ secret: jwtSecretKey, lifetimeSeconds: Duration.toSeconds(tokenLifetime) })
  const access: Access = {
    accessKeyId: settings.accessKeyId ?? own.accessKeyId,
    secretAccessKey: settings.secretAccessKey ?? own.secretAccessKey,
    jwtSecretKey,
    apiKey: settings.apiKey ?? own.apiKey,
    authUser: settings.authUser ?? own.authUser,
    authPass: settings.authPass ?? own.authPass,
    storeSecret: own.storeSecret,
    token: yield* tokens.issue("esb")
  }
  return access
})

/** As the Gateway's settings name them. */
export const environmentOf = (access: Access): Readonly<Record<string, string>> => ({
  ESB_ACCESS_KEY_ID: access.accessKeyId,
  ESB_SECRET_ACCESS_KEY: Redacted.value(access.secretAccessKey),
  JWT_SECRET_KEY: Redacted.value(access.jwtSecretKey),
  X_API_KEY: Redacted.value(access.apiKey),
  AUTH_USER: access.authUser,
  AUTH_PASS: Redacted.value(access.authPass)
})

/** For those who may know: `run.json`, and the ready line of `esb up --json`. */
export const revealed = (access: Access) => ({
  accessKeyId: access.accessKeyId,
  secretAccessKey: Redacted.value(access.secretAccessKey),
  token: Redacted.value(access.token)
})
