/** One question to a registry, with what proves who asks, and again where that helps. */
import { Effect, type Scope } from "effect"
import { RegistryUnauthorized, RegistryUnavailable } from "#domain/Failure"
import * as Authorization from "./Authorization.ts"
import * as Document from "./Document.ts"
import { type Answer, discard, type Request, type RegistryHttp } from "./RegistryHttp.ts"
import type { RegistrySettings } from "./RegistrySettings.ts"
import { settled } from "./Retrying.ts"

export type Refused = RegistryUnauthorized | RegistryUnavailable

export interface Call extends Omit<Request, "authorization" | "url"> {
  readonly access: Authorization.Access
  /** Below the registry's own address; an address somewhere else is asked without credentials. */
  readonly to: string | URL
  /** Asked twice, it comes to the same as once. */
  readonly isRepeatable: boolean
}

export interface RegistryCalls {
  /** Any answer but 401, 403, 429 and 5xx, which are failures. */
  readonly ask: (call: Call) => Effect.Effect<Answer, Refused, Scope.Scope>
  /** An answer that should not have been, as a failure. */
  readonly unexpected: (host: string, answer: Answer) => Effect.Effect<RegistryUnavailable>
}

/** The name of Docker's registry is not where it answers. */
const addresses: Readonly<Record<string, string>> = { "docker.io": "registry-1.docker.io" }

export const make = Effect.fnUntraced(function* (settings: RegistrySettings, http: RegistryHttp) {
  const authorization = yield* Authorization.make(settings, http)
  const bounds = { bytes: settings.refusalLimitBytes, ms: settings.documentLimitMs }

  const baseOf = (host: string): URL =>
    new URL(`${settings.insecureHosts.has(host) ? "http" : "https"}://${addresses[host] ?? host}`)

  const ask = Effect.fnUntraced(function* (call: Call) {
    const { access, isRepeatable, to, ...request } = call
    const base = baseOf(access.host)
    const url = new URL(to, base)
    const isAtHome = url.origin === base.origin
    const attempt = (proof: string | undefined) =>
      settled(settings, access.host, isRepeatable, http.send({ ...request, url, authorization: proof }))

    const known = isAtHome ? yield* authorization.known(access) : undefined
    let answer = yield* attempt(known)
    if (answer.status === 401 && isAtHome) {
      const header = answer.header("www-authenticate")
      discard(answer)
      answer = yield* attempt(yield* authorization.answer(access, header, known))
    }
    if (answer.status !== 401 && answer.status !== 403) return answer
    const told = yield* Document.told(answer, bounds)
    const detail = answer.status === 401 ? `what we prove ourselves with is not good (${told})` : told
    return yield* new RegistryUnauthorized({ registry: access.host, detail })
  })

  return {
    ask,
    unexpected: (registry, answer) =>
      Effect.map(Document.told(answer, bounds), (detail) => new RegistryUnavailable({ registry, detail }))
  } satisfies RegistryCalls
})
