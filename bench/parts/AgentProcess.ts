/** The Agent as its own process, with certificates made for the occasion, and what a Gateway needs to speak to it. */
import { spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import { Effect, Redacted } from "effect"
import * as CertificateAuthority from "#layers/x509/CertificateAuthority"
import * as Leaves from "#layers/x509/Leaves"
import type { CertificateBundle } from "#services/Certificates"

const program = fileURLToPath(new URL("../../dist/agent.js", import.meta.url))

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

/** Its artifacts lie below `home`. It ends with the scope. */
export const start = Effect.fnUntraced(function* (home: string) {
  const { agent, authority, gateway } = yield* issue
  mkdirSync(home, { recursive: true })
  const [certificate, key, ca] = ["agent.crt", "agent.key", "ca.crt"].map((name) => join(home, name))
  writeFileSync(certificate ?? "", agent.certificate)
  writeFileSync(key ?? "", Redacted.value(agent.key), { mode: 0o600 })
  writeFileSync(ca ?? "", authority)
  const environment = {
    ESB_HOME: home,
    ENV: "bench",
    ESB_BRAND_SLUG: "esb",
    AGENT_RUNTIME: "process",
    AGENT_HOST: "127.0.0.1",
    AGENT_RUNTIME_API_PORTS: "19000-19999",
    PORT: "0",
    AGENT_DATA_PORT: "0",
    AGENT_METRICS_PORT: "0",
    AGENT_LOG_LEVEL: "warn",
    AGENT_GRPC_CERT_PATH: certificate,
    AGENT_GRPC_KEY_PATH: key,
    AGENT_GRPC_CA_CERT_PATH: ca,
    ESB_READY_FD: "3"
  }
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [program], {
        env: { ...process.env, ...environment },
        stdio: ["ignore", "inherit", "inherit", "pipe"]
      })
    ),
    (child) =>
      Effect.promise(
        () =>
          new Promise((resolve) => {
            child.once("exit", resolve)
            child.kill("SIGTERM")
          })
      )
  )
  const line = yield* Effect.promise(
    () =>
      new Promise<string>((resolve, reject) => {
        createInterface({ input: child.stdio[3] as Readable }).once("line", resolve)
        child.once("exit", (code) => reject(new Error(`the Agent ended with ${code}`)))
      })
  )
  const { url } = JSON.parse(line) as { readonly url: string }
  return { address: new URL(url).host, pid: child.pid ?? 0, bundle: { ...gateway, authority } } satisfies AgentProcess
})
