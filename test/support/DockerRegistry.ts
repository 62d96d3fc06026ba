/** A real registry on loopback, with its files in a directory of its own; both go with the scope. */
import { Effect, Redacted } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as CertificateAuthority from "#layers/x509/CertificateAuthority"
import * as Leaves from "#layers/x509/Leaves"
import { pathOf } from "./Engines.ts"
import * as FreePort from "./FreePort.ts"

/** The user that {@link make} lets in when it is told to; the line is `htpasswd`'s, bcrypt at its cheapest. */
export const reader = { username: "reader", password: Redacted.make("correct-horse") }
const htpasswd = "reader:$2b$04$juF/vVT6ecXeaBYwhSvzreDHZZDGernKIibfEnlLoEg1Hgw7AMt.q\n"

export interface Wish {
  readonly password?: boolean
  readonly tls?: boolean
  /** A token service that it believes, and the PEM of the authority that certified its key. */
  readonly tokens?: {
    readonly realm: string
    readonly service: string
    readonly issuer: string
    readonly authority: string
  }
}

export interface DockerRegistry {
  /** Host and port. */
  readonly host: string
  /** PEM file of the authority that certified it. */
  readonly authorityPath: string
  readonly log: () => string
  /** It answers no more when this returns. */
  readonly stop: Effect.Effect<void>
}

const readyLimitMs = 10_000

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

const hourMs = 3_600_000

const certify = Effect.fnUntraced(function* (directory: string) {
  const period = { from: new Date(Date.now() - hourMs), to: new Date(Date.now() + hourMs) }
  const authority = yield* CertificateAuthority.make("Authority of a registry", period)
  const { certificate, key } = yield* CertificateAuthority.issue(authority, Leaves.server([]), period)
  writeFileSync(join(directory, "ca.pem"), authority.certificate)
  writeFileSync(join(directory, "server.pem"), certificate)
  writeFileSync(join(directory, "server.key"), Redacted.value(key))
})

const configurationOf = (directory: string, port: number, { password, tls, tokens }: Wish) => ({
  version: 0.1,
  log: { level: "warn" },
  storage: { filesystem: { rootdirectory: join(directory, "images") }, delete: { enabled: true } },
  ...(password === true ? { auth: { htpasswd: { realm: "test", path: join(directory, "htpasswd") } } } : {}),
  ...(tokens === undefined
    ? {}
    : {
        auth: {
          token: {
            realm: tokens.realm,
            service: tokens.service,
            issuer: tokens.issuer,
            rootcertbundle: join(directory, "tokens.pem")
          }
        }
      }),
  http: {
    addr: `127.0.0.1:${port}`,
    secret: "of no importance",
    ...(tls === true ? { tls: { certificate: join(directory, "server.pem"), key: join(directory, "server.key") } } : {})
  }
})

export const make = Effect.fnUntraced(function* (wish: Wish = {}) {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-registry-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  yield* Effect.orDie(certify(directory))
  writeFileSync(join(directory, "htpasswd"), htpasswd)
  if (wish.tokens !== undefined) writeFileSync(join(directory, "tokens.pem"), wish.tokens.authority)
  const port = yield* FreePort.find
  // JSON is YAML.
  writeFileSync(join(directory, "config.yml"), JSON.stringify(configurationOf(directory, port, wish)))
  let said = ""
  const stop = (child: ChildProcess) =>
    Effect.promise(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, "exit")
      child.kill("SIGKILL")
      await gone
    })
  const running = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(pathOf("registry"), ["serve", join(directory, "config.yml")], {
        stdio: ["ignore", "pipe", "pipe"],
        env: { OTEL_TRACES_EXPORTER: "none" }
      })
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-65_536)))
      }
      return child
    }),
    stop
  )
  yield* Effect.promise(async () => {
    const deadline = performance.now() + readyLimitMs
    while (!(await accepts(port))) {
      if (performance.now() > deadline) throw new Error(`docker-registry does not listen:\n${said}`)
      await new Promise((again) => setTimeout(again, 20))
    }
  })
  return {
    host: `127.0.0.1:${port}`,
    authorityPath: join(directory, "ca.pem"),
    log: () => said,
    stop: stop(running)
  } satisfies DockerRegistry
})
