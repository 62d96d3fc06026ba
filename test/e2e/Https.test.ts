/** A Gateway that is called by HTTPS, and the health check that asks it as a container's does. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect } from "node:tls"
import { certs } from "#test/support/AgentStack"
import * as BareGateway from "#test/support/BareGateway"
import * as BareServer from "#test/support/BareServer"
import * as Cli from "#test/support/Cli"
import { eventually } from "#test/support/Eventually"

const place = Effect.gen(function* () {
  const home = mkdtempSync(join(tmpdir(), "esb-https-"))
  const certificates = join(home, "certs")
  yield* certs(certificates)
  mkdirSync(join(home, "config"))
  writeFileSync(join(home, "config/functions.yml"), "functions: {}\n")
  writeFileSync(join(home, "config/routing.yml"), "routes: []\n")
  const settings = {
    ...BareGateway.secrets,
    ESB_HOME: home,
    PORT: "0",
    SSL_CERT_PATH: join(certificates, "server.crt"),
    SSL_KEY_PATH: join(certificates, "server.key")
  }
  return { certificates, settings }
})

const health = (...args: ReadonlyArray<string>) => Cli.runProgram("health", args)

/** Of the certificate that a server shows. */
const fingerprint = (url: string) =>
  Effect.callback<string>((resume) => {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      resume(Effect.succeed(socket.getPeerCertificate().fingerprint256))
      socket.destroy()
    })
  })

const rotationLimitMs = 30_000

describe("a Gateway with a certificate", () => {
  it.live("answers by HTTPS those who believe its authority, and shows a renewed certificate without a restart", () =>
    Effect.gen(function* () {
      const { certificates, settings } = yield* place
      const { url } = yield* BareServer.make("gateway", settings)
      assert.match(url, /^https:/)
      const authority = join(certificates, "rootCA.crt")

      assert.deepStrictEqual(yield* health(`${url}/health`, authority), { code: 0, stdout: "", stderr: "" })
      const stranger = yield* health(`${url}/health`)
      assert.strictEqual(stranger.code, 1)
      assert.match(stranger.stderr, /^https:\S+: .*certificate/)
      const nowhere = yield* health(`${url}/nowhere`, authority)
      assert.deepStrictEqual([nowhere.code, nowhere.stderr], [1, `${url}/nowhere: answers 401\n`])
      const unread = yield* health(`${url}/health`, join(certificates, "nobody.crt"))
      assert.strictEqual(unread.code, 1)
      assert.include(unread.stderr, "nobody.crt")
      assert.strictEqual((yield* health("not a url")).code, 2)

      const first = yield* fingerprint(url)
      yield* certs(certificates, "--rotate")
      yield* eventually("the new certificate is shown", fingerprint(url), (now) => now !== first, rotationLimitMs)
      assert.strictEqual((yield* health(`${url}/health`, authority)).code, 0)
    }).pipe(Effect.scoped)
  )

  it.live("does not start on half of a pair, or on files that cannot be read", () =>
    Effect.gen(function* () {
      const { settings } = yield* place
      const refusal = (environment: BareServer.Environment) => Cli.runProgram("gateway", [], { environment })
      const { SSL_KEY_PATH: _, ...half } = settings
      const halved = yield* refusal(half)
      assert.strictEqual(halved.code, 2)
      assert.include(halved.stderr, "SSL_KEY_PATH is required")
      const lost = yield* refusal({ ...settings, SSL_CERT_PATH: "/nobody/has/this.crt" })
      assert.strictEqual(lost.code, 2)
      assert.include(lost.stderr, "/nobody/has/this.crt")
    })
  )
})
