/** Who we are, in the words that a registry wants to hear: nothing, a password, or a token that is good for a while. */
import { Cache, Duration, Effect, Exit, Redacted, Schema } from "effect"
import { Buffer } from "node:buffer"
import { RegistryUnauthorized, RegistryUnavailable } from "#domain/Failure"
import { type BearerChallenge, type Challenge, parse } from "./Challenge.ts"
import * as Document from "./Document.ts"
import type { RegistryHttp } from "./RegistryHttp.ts"
import type { RegistryCredentials, RegistrySettings } from "./RegistrySettings.ts"
import { settled } from "./Retrying.ts"

/** What is to be done where; one token serves all requests of the same kind. */
export interface Access {
  readonly host: string
  /** Absent where it is the registry itself that is asked. */
  readonly repository?: string
  readonly actions?: "pull" | "pull,push"
  /** A second repository, which is only read. */
  readonly source?: string | undefined
}

type Refused = RegistryUnauthorized | RegistryUnavailable

export interface Authorization {
  /** What went well the last time; `undefined` when nothing is known to be wanted. */
  readonly known: (access: Access) => Effect.Effect<string | undefined, Refused>
  /** What answers this `WWW-Authenticate`. A token that was `refused` is not used again. */
  readonly answer: (
    access: Access,
    header: string | undefined,
    refused: string | undefined
  ) => Effect.Effect<string, Refused>
}

/** @see https://distribution.github.io/distribution/spec/auth/token/#token-response-fields */
const TokenAnswer = Schema.fromJsonString(
  Schema.Struct({
    token: Schema.optionalKey(Schema.String),
    access_token: Schema.optionalKey(Schema.String),
    expires_in: Schema.optionalKey(Schema.Finite)
  })
)
const decodeToken = Schema.decodeUnknownEffect(TokenAnswer)

/** Equal for requests that the same token serves. */
const TokenKey = Schema.fromJsonString(
  Schema.Struct({
    host: Schema.String,
    realm: Schema.String,
    service: Schema.NullOr(Schema.String),
    scopes: Schema.Array(Schema.String)
  })
)
const encodeKey = Schema.encodeSync(TokenKey)
const decodeKey = Schema.decodeSync(TokenKey)

interface Token {
  readonly value: Redacted.Redacted
  readonly lifetimeMs: number
}

const basic = ({ password, username }: RegistryCredentials): string =>
  `Basic ${Buffer.from(`${username}:${Redacted.value(password)}`).toString("base64")}`

const scopesOf = ({ actions, repository, source }: Access, { scope }: BearerChallenge): ReadonlyArray<string> => {
  if (scope !== undefined) return scope.split(" ").filter((word) => word !== "")
  return [
    ...(repository === undefined ? [] : [`repository:${repository}:${actions}`]),
    ...(source === undefined ? [] : [`repository:${source}:pull`])
  ]
}

export const make = Effect.fnUntraced(function* (settings: RegistrySettings, http: RegistryHttp) {
  const refusal = (registry: string, detail: string) => new RegistryUnauthorized({ registry, detail })
  const unusable = (registry: string, detail: string) => new RegistryUnavailable({ registry, detail })

  const fetchToken = Effect.fnUntraced(function* (key: string) {
    const { host, realm, scopes, service } = decodeKey(key)
    if (!URL.canParse(realm)) return yield* unusable(host, "the address of its token service cannot be read")
    const url = new URL(realm)
    if (service !== null) url.searchParams.set("service", service)
    for (const scope of scopes) url.searchParams.append("scope", scope)
    const credentials = settings.credentials.get(host)
    const authorization = credentials === undefined ? undefined : basic(credentials)
    const answer = yield* settled(settings, host, true, http.send({ method: "GET", url, authorization }))
    const { documentLimitMs: ms, refusalLimitBytes, tokenLimitBytes } = settings
    if (answer.status !== 200) {
      const detail = yield* Document.told(answer, { bytes: refusalLimitBytes, ms })
      return yield* answer.status === 401 || answer.status === 403
        ? refusal(host, `its token service says ${detail}`)
        : unusable(host, `its token service says ${detail}`)
    }
    const told = yield* Document.read(answer, { bytes: tokenLimitBytes, ms }).pipe(
      Effect.flatMap((body) => decodeToken(body.toString("utf8"))),
      Effect.mapError(({ message }) => unusable(host, `its token service answers no token: ${message}`))
    )
    const value = told.token ?? told.access_token
    if (value === undefined) return yield* unusable(host, "its token service answers no token")
    const lifetimeMs = told.expires_in === undefined ? settings.tokenLifetimeMs : told.expires_in * 1_000
    return { value: Redacted.make(value), lifetimeMs } satisfies Token
  }, Effect.scoped)

  const tokens = yield* Cache.makeWith(fetchToken, {
    capacity: settings.rememberedTokens,
    timeToLive: Exit.match({
      onSuccess: ({ lifetimeMs }) => Duration.millis(Math.max(0, lifetimeMs - settings.tokenMarginMs)),
      onFailure: () => Duration.zero
    })
  })

  const challenges = new Map<string, Challenge>()
  const nameOf = ({ actions, host, repository, source }: Access): string =>
    [host, repository, actions, source].join(" ")
  const remember = (access: Access, challenge: Challenge): void => {
    const name = nameOf(access)
    const [oldest] = challenges.keys()
    if (oldest !== undefined && challenges.size >= settings.rememberedTokens && !challenges.has(name)) {
      challenges.delete(oldest)
    }
    challenges.set(name, challenge)
  }

  const keyOf = (access: Access, challenge: BearerChallenge): string =>
    encodeKey({
      host: access.host,
      realm: challenge.realm,
      service: challenge.service ?? null,
      scopes: scopesOf(access, challenge)
    })

  const meet = (access: Access, challenge: Challenge): Effect.Effect<string, Refused> => {
    if (challenge.scheme === "bearer") {
      return Effect.map(Cache.get(tokens, keyOf(access, challenge)), ({ value }) => `Bearer ${Redacted.value(value)}`)
    }
    const credentials = settings.credentials.get(access.host)
    return credentials === undefined
      ? Effect.fail(refusal(access.host, "it wants a user and a password, and none are known for it"))
      : Effect.succeed(basic(credentials))
  }

  return {
    known: (access) => {
      const challenge = challenges.get(nameOf(access))
      return challenge === undefined ? Effect.undefined : meet(access, challenge)
    },
    answer: Effect.fnUntraced(function* (access, header, refused) {
      const challenge = parse(header ?? "")
      if (challenge === undefined) return yield* refusal(access.host, "it does not say how to prove who we are")
      if (challenge.scheme === "bearer") {
        if (refused !== undefined) yield* Cache.invalidate(tokens, keyOf(access, challenge))
      } else if (refused !== undefined) {
        return yield* refusal(access.host, "the user or the password is wrong")
      }
      const authorization = yield* meet(access, challenge)
      remember(access, challenge)
      return authorization
    })
  } satisfies Authorization
})
