import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { X509Certificate } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import type * as CertificateAuthority from "#layers/x509/CertificateAuthority"
import type { Finding } from "#programs/esb/Finding"
import * as Cli from "#test/support/Cli"
import * as Peers from "#test/support/Peers"

interface Told {
  readonly directory: string
  readonly made: ReadonlyArray<string>
  readonly certificates: ReadonlyArray<{
    readonly file: string
    readonly subject: string
    readonly names: ReadonlyArray<string>
    readonly state: string
    readonly problem: string
    readonly validUntil: string
  }>
}

const every = ["rootCA.crt", "server.crt", "client.crt"]

/** `esb certs --json`, which has to succeed. */
const certs = Effect.fnUntraced(function* (
  cwd: string,
  args: ReadonlyArray<string> = [],
  environment: Readonly<Record<string, string>> = {}
) {
  const { code, stderr, stdout } = yield* Cli.esb(["certs", "--json", ...args], { cwd, environment })
  assert.strictEqual(code, 0, stderr)
  return JSON.parse(stdout) as Told
})

const certificate = (directory: string, name: string) => new X509Certificate(readFileSync(join(directory, name)))

const files = (name: string, { certificate, key }: CertificateAuthority.Issued) => ({
  [`.esb/certs/${name}.crt`]: certificate,
  [`.esb/certs/${name}.key`]: Redacted.value(key)
})

/** A directory whose server cannot be believed any more. */
const outdated = Effect.gen(function* () {
  const authority = yield* Peers.authority
  return yield* Cli.project({
    ...files("rootCA", authority),
    ...files("server", yield* Peers.issue(authority, Peers.agent, Peers.past)),
    ...files("client", yield* Peers.issue(authority, Peers.gateway))
  })
})

const findings = Effect.fnUntraced(function* (cwd: string, mode: string) {
  const { stdout } = yield* Cli.esb(["doctor", "--json", "--mode", mode, "--port", "1"], { cwd })
  const told = JSON.parse(stdout) as { readonly ready: boolean; readonly findings: ReadonlyArray<Finding> }
  return { ready: told.ready, certificates: told.findings.filter(({ mode }) => mode === "certificates") }
})

describe("esb certs", () => {
  it.live("makes what is missing in the home, keeps it from then on, and shows it", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project({})
      const first = yield* Cli.esb(["certs"], { cwd: root })
      assert.strictEqual(first.code, 0)
      assert.match(first.stdout, /^FILE +SUBJECT +VALID UNTIL +DAYS LEFT +NAMES\n/)
      assert.match(first.stdout, /\nserver\.crt +CN=localhost +\d{4}-\d\d-\d\dT\d\d:\d\d +3649 +localhost, registry, /)
      assert.match(first.stdout, /\nclient\.crt +CN=gateway .*gateway, esb:gateway\n$/)
      assert.match(first.stderr, /Made rootCA\.crt, server\.crt, client\.crt in .*\.esb\/certs\n/)

      const directory = join(root, ".esb/certs")
      assert.strictEqual(statSync(join(directory, "server.key")).mode & 0o777, 0o600)
      assert.strictEqual(readFileSync(join(root, ".esb/.gitignore"), "utf8"), "*\n")
      const files = [...every, "rootCA.key", "server.key", "client.key"]
      const texts = () => files.map((name) => readFileSync(join(directory, name), "utf8"))
      const before = texts()
      const told = yield* certs(root)
      assert.deepStrictEqual([told.made, told.directory], [[], directory])
      assert.deepStrictEqual(
        told.certificates.map(({ file, problem, state }) => [file, state, problem]),
        every.map((file) => [file, "fine", ""])
      )
      assert.deepStrictEqual(texts(), before)
    })
  )

  it.live("renews the leaves, or everything", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project({})
      const { directory } = yield* certs(root)
      const serials = () => every.map((name) => certificate(directory, name).serialNumber)
      const first = serials()
      assert.deepStrictEqual((yield* certs(root, ["--rotate"])).made, ["server.crt", "client.crt"])
      const second = serials()
      assert.deepStrictEqual(
        second.map((serial, index) => serial === first[index]),
        [true, false, false]
      )
      assert.deepStrictEqual((yield* certs(root, ["--rotate-ca"])).made, every)
      assert.isTrue(serials().every((serial, index) => serial !== second[index]))

      const mounted = join(directory, "containers")
      assert.isFalse(existsSync(join(mounted, "rootCA.key")))
      for (const name of [...every, "server.key", "client.key"]) {
        assert.strictEqual(readFileSync(join(mounted, name), "utf8"), readFileSync(join(directory, name), "utf8"), name)
      }
    })
  )

  it.live("certifies names, validity and place as flags and environment say", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project({})
      const elsewhere = join(root, "elsewhere")
      const args = ["--directory", "elsewhere", "--validity-hours", "100", "--san", "agent.internal,10.1.2.3"]
      const told = yield* certs(root, args, { ESB_CERT_SANS: "unheard.internal" })
      assert.deepStrictEqual([told.directory, existsSync(join(root, ".esb"))], [elsewhere, false])
      const server = certificate(elsewhere, "server.crt")
      assert.include(server.subjectAltName, "DNS:agent.internal, IP Address:10.1.2.3")
      assert.notInclude(server.subjectAltName, "unheard.internal")
      const hoursLeft = (server.validToDate.getTime() - Date.now()) / 3_600_000
      assert.isTrue(hoursLeft > 99 && hoursLeft <= 100)
      assert.strictEqual(told.certificates[1]?.state, "soon")

      const renewed = yield* certs(root, ["--rotate"], { ESB_CERT_DIR: elsewhere, ESB_CERT_SANS: "heard.internal" })
      assert.includeMembers([...(renewed.certificates[1]?.names ?? [])], ["agent.internal", "heard.internal"])
    })
  )

  it.live("refuses a directory in place of a file, and says so", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project({})
      const { directory } = yield* certs(root)
      rmSync(join(directory, "client.key"))
      mkdirSync(join(directory, "client.key"))
      const { code, stderr, stdout } = yield* Cli.esb(["certs"], { cwd: root })
      assert.deepStrictEqual([code, stdout], [1, ""])
      assert.match(stderr, /certs\/client\.key is a directory, where a file should be: remove it/)
    })
  )

  it.live("names the variable of a value that makes no sense", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project({})
      for (const [flag, value, told] of [
        ["--san", "agent,not a name", 'ESB_CERT_SANS (--san) has "not a name"'],
        ["--validity-hours", "0", 'ESB_CERT_VALIDITY_HOURS (--validity-hours) is "0"']
      ] as const) {
        const { code, stderr } = yield* Cli.esb(["certs", flag, value], { cwd: root })
        assert.strictEqual(code, 2)
        assert.include(stderr, told)
      }
      assert.deepStrictEqual(
        readdirSync(join(root)).filter((name) => name.endsWith(".crt")),
        []
      )
    })
  )

  it.live("shows a certificate that has expired, says how to renew it, and ends with 1", () =>
    Effect.gen(function* () {
      const root = yield* outdated
      const { code, stderr, stdout } = yield* Cli.esb(["certs"], { cwd: root })
      assert.strictEqual(code, 1)
      assert.match(stdout, /\nserver\.crt +CN=localhost +\S+ +0 /)
      assert.match(stderr, /server\.crt has expired on .*\nRenew them with esb certs --rotate,/)
      const told = yield* certs(root, ["--rotate"])
      assert.deepStrictEqual(
        told.certificates.map(({ state }) => state),
        // The authority of the tests lasts for an hour.
        ["soon", "soon", "soon"]
      )
    })
  )
})

describe("esb doctor", () => {
  it.live("does not speak of certificates where there are none", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project({})
      assert.deepStrictEqual((yield* findings(root, "embedded")).certificates, [])
    })
  )

  it.live("tells how long each certificate is good for", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project({})
      yield* certs(root, ["--validity-hours", "240"])
      const { certificates } = yield* findings(root, "embedded")
      assert.deepStrictEqual(
        certificates.map(({ remedy, state, what }) => [what, state, remedy]),
        [
          ["rootCA.crt", "ok", ""],
          ["server.crt", "advice", "esb certs --rotate"],
          ["client.crt", "advice", "esb certs --rotate"]
        ]
      )
      assert.match(certificates[1]?.detail ?? "", /^until \d{4}-\d\d-\d\d, 9 days left$/)
    })
  )

  it.live("holds an expired certificate against the modes that have an Agent", () =>
    Effect.gen(function* () {
      const root = yield* outdated
      const { code, stdout } = yield* Cli.esb(["doctor", "--mode", "docker"], { cwd: root })
      assert.strictEqual(code, 1)
      assert.match(
        stdout,
        /\ncertificates\n.*\n.*\n {2}expired server\.crt: server\.crt has expired on .*\n {10}esb certs --rotate\n/
      )
      assert.isFalse((yield* findings(root, "docker")).ready)
    })
  )
})
