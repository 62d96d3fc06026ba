import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option, References } from "effect"
import { X509Certificate } from "node:crypto"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { rootCertificates } from "node:tls"
import * as TrustBundle from "#layers/x509/TrustBundle"
import * as Cli from "#test/support/Cli"
import { eventually } from "#test/support/Eventually"

const [first = "", second = ""] = rootCertificates
const pem = (certificate: string): string => `${certificate.trim()}\n`

const certificatesIn = (text: string): ReadonlyArray<string> =>
  text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []

const home = Effect.map(Cli.project({ "rootCA.crt": pem(first) }), (root) => ({
  directory: join(root, "state/worker-ca"),
  authorityPath: join(root, "rootCA.crt"),
  lookEvery: Duration.millis(20)
}))

describe("what workers believe", () => {
  it.live("is everybody's authorities and ours, for all to read", () =>
    Effect.gen(function* () {
      const options = yield* home
      yield* TrustBundle.keep(options)
      const bundle = readFileSync(join(options.directory, TrustBundle.bundleName), "utf8")
      const all = certificatesIn(bundle)
      assert.isAbove(all.length, 50)
      for (const each of all) assert.instanceOf(new X509Certificate(each), X509Certificate)
      assert.strictEqual(all.at(-1), first.trim())
      assert.strictEqual(readFileSync(join(options.directory, TrustBundle.authorityName), "utf8"), pem(first))
      assert.deepStrictEqual(readdirSync(options.directory).toSorted(), [
        TrustBundle.authorityName,
        TrustBundle.bundleName
      ])
      assert.strictEqual(statSync(options.directory).mode & 0o777, 0o755)
      assert.strictEqual(statSync(join(options.directory, TrustBundle.bundleName)).mode & 0o777, 0o644)
      assert.strictEqual(statSync(join(options.directory, "..")).mode & 0o777, 0o700)
    })
  )

  it.live("follows our authority", () =>
    Effect.gen(function* () {
      const options = yield* home
      yield* TrustBundle.keep(options)
      const own = Effect.sync(() => readFileSync(join(options.directory, TrustBundle.authorityName), "utf8"))
      writeFileSync(options.authorityPath, pem(second))
      yield* eventually("the new authority is there", own, (text) => text === pem(second))
      const bundle = readFileSync(join(options.directory, TrustBundle.bundleName), "utf8")
      assert.strictEqual(certificatesIn(bundle).at(-1), second.trim())
    }).pipe(Effect.provideService(References.MinimumLogLevel, "Warn"))
  )

  it.live("is not there without an authority, and the failure names its file", () =>
    Effect.gen(function* () {
      const options = yield* home
      const failure = yield* Effect.flip(TrustBundle.keep({ ...options, authorityPath: "/nobody/rootCA.crt" }))
      assert.strictEqual(failure._tag, "TrustUnavailable")
      assert.include(failure.message, "/nobody/rootCA.crt")
      assert.isTrue(Option.isNone(Option.liftThrowable(() => statSync(options.directory))()))
    })
  )
})
