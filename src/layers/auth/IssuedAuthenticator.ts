/**
 * Believes what was issued here: access keys by their signature, tokens by ours, one user by a password. Keeps nothing but
 * what its options say and a bounded memory of what it has verified.
 */
import { Effect, Layer, Redacted, Result } from "effect"
import { MissingAuthentication, Unauthorized, UnknownCredential } from "#domain/Failure"
import { Authenticator, type Principal } from "#services/Authenticator"
import { sameText } from "./SameText.ts"
import { type Credential, type SignatureFailure, verifier } from "./SignatureV4.ts"
import * as Tokens from "./Tokens.ts"

export interface Options {
  /** Access keys that may sign. */
  readonly credentials: ReadonlyArray<Credential>
  /** Who may ask for a token. */
  readonly user: string
  readonly password: Redacted.Redacted
  readonly tokens: Tokens.Options
}

/** The value of the first `Authorization` header. */
const authorizationOf = (rawHeaders: ReadonlyArray<string>): string | undefined => {
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name !== undefined && name.length === 13 && name.toLowerCase() === "authorization") {
      return rawHeaders[at + 1]?.trim()
    }
  }
  return undefined
}

const bearerForm = /^(?:bearer +)?([A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*)$/i

/** The token in `Bearer <token>` or a bare token; `undefined` for anything else. */
const tokenOf = (authorization: string): string | undefined => bearerForm.exec(authorization.trim())?.[1]

export const layer = (options: Options): Layer.Layer<Authenticator> =>
  Layer.effect(
    Authenticator,
    Effect.gen(function* () {
      const verifySignature = verifier(options.credentials)
      const tokens = yield* Tokens.make(options.tokens)

      return Authenticator.of({
        signed: (request) =>
          Effect.clockWith((clock): Effect.Effect<Principal, MissingAuthentication | SignatureFailure> => {
            const authorization = authorizationOf(request.rawHeaders)
            if (authorization === undefined && !request.target.includes("X-Amz-Signature=")) {
              return Effect.fail(new MissingAuthentication())
            }
            const token = authorization === undefined ? undefined : tokenOf(authorization)
            if (token !== undefined) {
              return Effect.mapError(tokens.verify(token), () => new UnknownCredential())
            }
            const verdict = verifySignature(request, clock.currentTimeMillisUnsafe())
            return Result.isSuccess(verdict) ? Effect.succeed({ name: verdict.success }) : Effect.fail(verdict.failure)
          }),
        bearer: (authorization) => {
          const token = authorization === undefined ? undefined : tokenOf(authorization)
          return token === undefined
            ? Effect.fail(new Unauthorized({ detail: "no bearer token" }))
            : tokens.verify(token)
        },
        issue: (user, password) => {
          const isUser = sameText(user, options.user)
          const isPassword = sameText(Redacted.value(password), Redacted.value(options.password))
          return isUser && isPassword
            ? tokens.issue(options.user)
            : Effect.fail(new Unauthorized({ detail: "wrong user or password" }))
        }
      })
    })
  )
