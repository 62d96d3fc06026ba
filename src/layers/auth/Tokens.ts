/** Our own bearer tokens: JSON Web Tokens signed with HS256, claims `sub`, `iat` and `exp`. A verified token is remembered. */
import { createSecretKey, type KeyObject } from "node:crypto"
import { Clock, Effect, Redacted, Schema } from "effect"
import { compactVerify, SignJWT } from "jose"
import { Unauthorized } from "#domain/Failure"
import type { Principal } from "#services/Authenticator"

export interface Options {
  /** At least 32 characters. */
  readonly secret: Redacted.Redacted
  readonly lifetimeSeconds: number
}

export interface Tokens {
  readonly issue: (subject: string) => Effect.Effect<Redacted.Redacted>
  readonly verify: (token: string) => Effect.Effect<Principal, Unauthorized>
}

const minSecretCharacters = 32

/** Verified tokens kept, so that the next call with one costs a look-up and not a verification. */
const maxRemembered = 1_024

/** A token of ours has about 160 characters; what is longer than this is not looked at. */
const maxTokenCharacters = 4_096

const compactForm = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/

const Claims = Schema.fromJsonString(
  Schema.Struct({ sub: Schema.NonEmptyString, exp: Schema.Finite, nbf: Schema.optionalKey(Schema.Finite) })
)
const decodeClaims = Schema.decodeUnknownEffect(Claims)

const refuse = (detail: string) => new Unauthorized({ detail })

/** Whether this is the one base64url spelling of its bytes: a decoder must not forgive what a signature covered. */
const isCanonical = (part: string): boolean => Buffer.from(part, "base64url").toString("base64url") === part

/** The payload of a token in compact form whose HS256 signature is good. Says nothing of its claims. */
export const verifiedPayload = Effect.fnUntraced(function* (token: string, key: KeyObject) {
  if (token.length > maxTokenCharacters || !compactForm.test(token) || !token.split(".").every(isCanonical)) {
    return yield* refuse("not a compact HS256 token")
  }
  const verified = yield* Effect.tryPromise({
    try: () => compactVerify(token, key, { algorithms: ["HS256"] }),
    catch: (cause) => refuse(cause instanceof Error ? cause.message : String(cause))
  })
  return verified.payload
})

export const secretKey = (secret: Redacted.Redacted): KeyObject => createSecretKey(Redacted.value(secret), "utf8")

/** A short secret is a defect: settings refuse it before they come here. */
export const make = (options: Options): Effect.Effect<Tokens> =>
  Effect.sync(() => {
    if (Redacted.value(options.secret).length < minSecretCharacters) {
      throw new Error(`The secret of bearer tokens must have at least ${minSecretCharacters} characters`)
    }
    const key = secretKey(options.secret)
    const remembered = new Map<string, { readonly principal: Principal; readonly expiresAtMs: number }>()

    const remember = (token: string, principal: Principal, expiresAtMs: number): void => {
      if (remembered.size >= maxRemembered) {
        for (const oldest of remembered.keys()) {
          remembered.delete(oldest)
          break
        }
      }
      remembered.set(token, { principal, expiresAtMs })
    }

    const verifyFresh = Effect.fnUntraced(function* (token: string, nowMs: number) {
      const payload = yield* verifiedPayload(token, key)
      const claims = yield* decodeClaims(new TextDecoder().decode(payload)).pipe(
        Effect.mapError(() => refuse("claims sub and exp are missing or wrong"))
      )
      if (claims.exp * 1000 <= nowMs) {
        return yield* refuse("expired")
      }
      if (claims.nbf !== undefined && claims.nbf * 1000 > nowMs) {
        return yield* refuse("not yet valid")
      }
      const principal: Principal = { name: claims.sub }
      remember(token, principal, claims.exp * 1000)
      return principal
    })

    return {
      issue: Effect.fnUntraced(function* (subject) {
        const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
        const token = yield* Effect.promise(() =>
          new SignJWT()
            .setProtectedHeader({ alg: "HS256", typ: "JWT" })
            .setSubject(subject)
            .setIssuedAt(now)
            .setExpirationTime(now + options.lifetimeSeconds)
            .sign(key)
        )
        return Redacted.make(token)
      }),
      verify: (token) =>
        Effect.clockWith((clock) => {
          const nowMs = clock.currentTimeMillisUnsafe()
          const known = remembered.get(token)
          if (known !== undefined && known.expiresAtMs > nowMs) {
            return Effect.succeed(known.principal)
          }
          remembered.delete(token)
          return verifyFresh(token, nowMs)
        })
    }
  })
