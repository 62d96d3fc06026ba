/** Certificates of an authority of the test's own, as files in the places of those of `esb certs`, for as long as a test wants. */
import { Effect } from "effect"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import type * as CertificateAuthority from "#layers/x509/CertificateAuthority"
import * as CertificateFilePairs from "#layers/x509/FilePairs"
import type { Environment } from "./BareServer.ts"
import * as Peers from "./Peers.ts"

export interface ShortLived {
  /** Settings of an Agent, and of a Gateway, that name them. */
  readonly agent: Environment
  readonly gateway: Environment
  /** Puts a new certificate of the Agent, or of the Gateway, in the place of the one that is there. */
  readonly issue: (whose: "agent" | "gateway", period: CertificateAuthority.Period) => Effect.Effect<void>
}

const hourMs = 3_600_000

const { authority: authorityPair, client, replace, server } = CertificateFilePairs

/** From an hour ago until so many milliseconds from now. */
export const forMs = (ms: number): CertificateAuthority.Period => ({
  from: new Date(Date.now() - hourMs),
  to: new Date(Date.now() + ms)
})

export const longEnough = forMs(hourMs)
export const over = forMs(-hourMs / 2)

export const make = Effect.fnUntraced(function* (directory: string, period: CertificateAuthority.Period) {
  mkdirSync(directory)
  const authority = yield* Peers.authority
  yield* Effect.orDie(replace(directory, [[authorityPair, authority]]))
  const issue: ShortLived["issue"] = Effect.fnUntraced(function* (whose, until) {
    const [pair, leaf] = whose === "agent" ? ([server, Peers.agent] as const) : ([client, Peers.gateway] as const)
    yield* Effect.orDie(replace(directory, [[pair, yield* Peers.issue(authority, leaf, until)]]))
  })
  yield* issue("agent", period)
  yield* issue("gateway", period)
  const at = (name: string): string => join(directory, name)
  return {
    issue,
    agent: {
      AGENT_GRPC_CERT_PATH: at(server.certificate),
      AGENT_GRPC_KEY_PATH: at(server.key),
      AGENT_GRPC_CA_CERT_PATH: at(authorityPair.certificate)
    },
    gateway: {
      AGENT_GRPC_TLS_CERT_PATH: at(client.certificate),
      AGENT_GRPC_TLS_KEY_PATH: at(client.key),
      AGENT_GRPC_TLS_CA_CERT_PATH: at(authorityPair.certificate)
    }
  } satisfies ShortLived
})
