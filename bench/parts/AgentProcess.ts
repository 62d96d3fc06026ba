/** The Agent as its own process, with certificates made for the occasion, and what a Gateway needs to speak to it. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Redacted } from "effect"
import * as CertificateAuthority from "#layers/x509/CertificateAuthority"
import * as Leaves from "#layers/x509/Leaves"
import type { CertificateBundle } from "#services/Certificates"
import * as ProgramProcess from "./ProgramProcess.ts"

export interface AgentProcess {
  /** `host:port` of its gRPC server. */
  readonly address: string
  readonly pid: number
  /** The Gateway's. */
  readonly bundle: CertificateBundle
}

const issue = Effect.gen(function* () {
  const now = Date.now()
  const period = { from: new Date(now - 60_000), to: new Date(now + 86_400_000) }
  const authority = yield* CertificateAuthority.make("bench", period)
  const agent = yield* CertificateAuthority.issue(authority, Leaves.server([]), period)
  const gateway = yield* CertificateAuthority.issue(authority, Leaves.gateway, period)
  return { authority: authority.certificate, agent, gateway }
})

/** Of its workers' doors, which a fence around workers in containers leaves open. */
export const doorPorts = { first: 19_000, last: 19_999 }

/** Its artifacts lie below `home`. Workers are child processes, unless the settings say otherwise. It ends with the scope. */
export const start = Effect.fnUntraced(function* (home: string, settings: Readonly<Record<string, string>> = {}) {
  const { agent, authority, gateway } = yield* issue
  mkdirSync(home, { recursive: true })
  const [certificate = "", key = "", ca = ""] = ["agent.crt", "agent.key", "ca.crt"].map((name) => join(home, name))
  writeFileSync(certificate, agent.certificate)
  writeFileSync(key, Redacted.value(agent.key), { mode: 0o600 })
  writeFileSync(ca, authority)
  const { pid, url } = yield* ProgramProcess.start("agent", {
    ESB_HOME: home,
    ENV: "bench",
    ESB_BRAND_SLUG: "esb",
    AGENT_RUNTIME: "process",
    AGENT_HOST: "127.0.0.1",
    AGENT_RUNTIME_API_PORTS: `${doorPorts.first}-${doorPorts.last}`,
    PORT: "0",
    AGENT_DATA_PORT: "0",
    AGENT_METRICS_PORT: "0",
    AGENT_LOG_LEVEL: "warn",
    AGENT_GRPC_CERT_PATH: certificate,
    AGENT_GRPC_KEY_PATH: key,
    AGENT_GRPC_CA_CERT_PATH: ca,
    ...settings
  })
  return { address: new URL(url).host, pid, bundle: { ...gateway, authority } } satisfies AgentProcess
})
