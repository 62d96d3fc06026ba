import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { execFileSync } from "node:child_process"
import { generateKeyPairSync } from "node:crypto"
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import * as CertificateFiles from "#layers/x509/CertificateFiles"
import * as CertificateSurvey from "#layers/x509/CertificateSurvey"
import * as Leaves from "#layers/x509/Leaves"
import * as CertificateHome from "#test/support/CertificateHome"
import { needs, pathOf } from "#test/support/Engines"

const names = ["client.crt", "client.key", "rootCA.crt", "rootCA.key", "server.crt", "server.key"]

const hours = (from: number, to: number) => Math.round((to - from) / 3_600_000)

describe("CertificateDirectory", () => {
  it.live("makes authority, server and client, keys for nobody else's eyes", () =>
    Effect.gen(function* () {
      const home = yield* CertificateHome.empty
      assert.deepStrictEqual(yield* home.make(), ["rootCA.crt", "server.crt", "client.crt"])
      assert.deepStrictEqual(readdirSync(home.directory).toSorted(), names)
      const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)
      assert.strictEqual(modeOf(home.directory), "700")
      assert.deepStrictEqual(
        names.map((name) => modeOf(home.pathOf(name))),
        ["644", "600", "644", "600", "644", "600"]
      )
    })
  )

  it.live("certifies a server for the names of every stack and further ones, a client as a Gateway", () =>
    Effect.gen(function* () {
      const home = yield* CertificateHome.empty
      yield* home.make({ serverNames: ["Agent.internal", "10.1.2.3", "localhost", "0:0::1"] })
      const [authority, server, client] = ["rootCA.crt", "server.crt", "client.crt"].map(home.certificate)
      assert.deepStrictEqual(
        [authority?.subject, authority?.ca, server?.subject, client?.subject],
        ["CN=ESB Local CA", true, "CN=localhost", "CN=gateway"]
      )
      assert.strictEqual(
        server?.subjectAltName,
        "DNS:localhost, DNS:registry, DNS:gateway, DNS:agent, DNS:runtime-node, DNS:host.docker.internal, " +
          "IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, IP Address:10.99.0.1, IP Address:10.88.0.1, " +
          "DNS:agent.internal, IP Address:10.1.2.3"
      )
      assert.strictEqual(client?.subjectAltName, "DNS:gateway, URI:esb:gateway")
      assert.deepStrictEqual([server?.keyUsage, client?.keyUsage], [["1.3.6.1.5.5.7.3.1"], ["1.3.6.1.5.5.7.3.2"]])
      assert.strictEqual(new Set([authority, server, client].map((each) => each?.serialNumber)).size, 3)
    })
  )

  it.live("lasts as long as it is asked to, from a while ago on, and no leaf longer than its authority", () =>
    Effect.gen(function* () {
      const home = yield* CertificateHome.empty
      const now = Date.now()
      yield* home.make({ validity: Duration.hours(48) })
      const [authority, server] = ["rootCA.crt", "server.crt"].map(home.certificate)
      assert.strictEqual(hours(now, Date.parse(server?.validTo ?? "")), 48)
      assert.strictEqual(hours(now, Date.parse(server?.validFrom ?? "")), -1)
      assert.strictEqual(hours(now, Date.parse(authority?.validTo ?? "")), 87_600)
      yield* home.make({ renew: "leaves", validity: Duration.hours(200_000) })
      assert.strictEqual(home.certificate("server.crt").validTo, authority?.validTo)
      yield* home.make({ renew: "everything", validity: Duration.hours(200_000) })
      assert.strictEqual(hours(now, Date.parse(home.certificate("rootCA.crt").validTo)), 200_000)
    })
  )

  it.live("keeps what is there, and makes what is missing", () =>
    Effect.gen(function* () {
      const home = yield* CertificateHome.made
      const before = names.map(home.text)
      assert.deepStrictEqual(yield* home.make(), [])
      assert.deepStrictEqual(names.map(home.text), before)
      rmSync(home.pathOf("client.crt"))
      rmSync(home.pathOf("client.key"))
      assert.deepStrictEqual(yield* home.make(), ["client.crt"])
      assert.deepStrictEqual(names.slice(2).map(home.text), before.slice(2))
    })
  )

  it.live("renews the leaves under their authority, with the names that were promised before", () =>
    Effect.gen(function* () {
      const home = yield* CertificateHome.empty
      yield* home.make({ serverNames: ["agent.internal"] })
      const before = names.map(home.text)
      assert.deepStrictEqual(yield* home.make({ renew: "leaves" }), ["server.crt", "client.crt"])
      const changed = names.filter((name, index) => home.text(name) !== before[index])
      assert.deepStrictEqual(changed, ["client.crt", "client.key", "server.crt", "server.key"])
      assert.include(Leaves.namesIn(home.certificate("server.crt")), "agent.internal")
      for (const paths of [home.agent, home.gateway]) {
        yield* CertificateFiles.check(paths, yield* CertificateFiles.read(paths))
      }
    })
  )

  it.live("renews everything, and nothing of before is believed", () =>
    Effect.gen(function* () {
      const home = yield* CertificateHome.made
      const before = yield* CertificateFiles.read(home.agent)
      assert.deepStrictEqual(yield* home.make({ renew: "everything" }), ["rootCA.crt", "server.crt", "client.crt"])
      const mixed = { ...before, authority: home.text("rootCA.crt") }
      const failure = yield* Effect.flip(CertificateFiles.check(home.agent, mixed))
      assert.include(failure.message, "server.crt is not signed by the authority in")
    })
  )

  const refusals: Readonly<Record<string, readonly [(home: CertificateHome.CertificateHome) => void, RegExp]>> = {
    "a directory where a file should be": [
      ({ pathOf }) => {
        rmSync(pathOf("server.key"))
        mkdirSync(pathOf("server.key"))
      },
      /server\.key is a directory, where a file should be: remove it/
    ],
    "half a pair": [
      ({ pathOf }) => rmSync(pathOf("client.key")),
      /client\.key is not there, but client\.crt is: put it back, or renew both with esb certs --rotate$/
    ],
    "a leaf to be made without the authority's key": [
      ({ pathOf }) => {
        for (const name of ["rootCA.key", "client.crt", "client.key"]) rmSync(pathOf(name))
      },
      /rootCA\.key is not there, and nothing can be certified without it/
    ],
    "a leaf whose authority is gone": [
      ({ pathOf }) => {
        for (const name of ["rootCA.crt", "rootCA.key", "client.crt", "client.key"]) rmSync(pathOf(name))
      },
      /rootCA\.crt is not there, but what belongs to it is/
    ],
    "an authority with another's key": [
      ({ pathOf, text }) => {
        writeFileSync(pathOf("rootCA.key"), text("server.key"))
        for (const name of ["client.crt", "client.key"]) rmSync(pathOf(name))
      },
      /rootCA\.crt does not belong to rootCA\.key: renew everything with esb certs --rotate-ca/
    ],
    "an authority that is none": [
      ({ pathOf, text }) => {
        for (const kind of ["crt", "key"]) writeFileSync(pathOf(`rootCA.${kind}`), text(`server.${kind}`))
        for (const name of ["client.crt", "client.key"]) rmSync(pathOf(name))
      },
      /rootCA\.crt is not the certificate of an authority/
    ]
  }
  for (const [what, [spoil, told]] of Object.entries(refusals)) {
    it.live(`refuses ${what}, and writes nothing`, () =>
      Effect.gen(function* () {
        const home = yield* CertificateHome.made
        spoil(home)
        const before = readdirSync(home.directory).toSorted()
        const failure = yield* Effect.flip(home.make())
        assert.match(failure.message, told)
        assert.deepStrictEqual(readdirSync(home.directory).toSorted(), before)
      })
    )
  }

  it.live("says where it cannot make a directory", () =>
    Effect.gen(function* () {
      const home = yield* CertificateHome.empty
      writeFileSync(home.directory, "")
      const failure = yield* Effect.flip(home.make())
      assert.match(failure.message, /certs cannot be used: EEXIST/)
    })
  )

  it.live("surveys what there is, and says what is wrong with it", () =>
    Effect.gen(function* () {
      const home = yield* CertificateHome.empty
      assert.deepStrictEqual(yield* CertificateSurvey.survey(home.directory), [])
      yield* home.make({ validity: Duration.hours(700) })
      rmSync(home.pathOf("rootCA.key"))
      writeFileSync(home.pathOf("client.key"), home.text("server.key"))
      chmodSync(home.pathOf("client.key"), 0o600)
      const found = yield* CertificateSurvey.survey(home.directory)
      assert.deepStrictEqual(
        found.map(({ file, problem, state }) => [file, state, problem]),
        [
          ["rootCA.crt", "fine", ""],
          ["server.crt", "soon", ""],
          ["client.crt", "broken", `client.key is not the key of ${home.pathOf("client.crt")}`]
        ]
      )
      assert.deepStrictEqual(found[2]?.names, ["gateway", "esb:gateway"])
    })
  )

  describe("in the eyes of OpenSSL", needs("openssl"), () => {
    const openssl = (...args: ReadonlyArray<string>) =>
      execFileSync(pathOf("openssl"), args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })

    it.live("every certificate is strictly well formed, for its purpose and no other", () =>
      Effect.gen(function* () {
        const home = yield* CertificateHome.made
        const verify = (purpose: string, name: string) =>
          openssl(
            "verify",
            "-x509_strict",
            "-CAfile",
            home.pathOf("rootCA.crt"),
            "-purpose",
            purpose,
            home.pathOf(name)
          )
        assert.include(verify("sslserver", "server.crt"), "OK")
        assert.include(verify("sslclient", "client.crt"), "OK")
        assert.throws(() => verify("sslclient", "server.crt"), /unsuitable certificate purpose/)
        assert.throws(() => verify("sslserver", "client.crt"), /unsuitable certificate purpose/)
      })
    )

    const algorithms = {
      "P-384": () => generateKeyPairSync("ec", { namedCurve: "secp384r1" }),
      "RSA-2048": () => generateKeyPairSync("rsa", { modulusLength: 2048 })
    }
    for (const [algorithm, generate] of Object.entries(algorithms)) {
      it.live(`an authority of somebody else's certifies leaves, with a key of ${algorithm}`, () =>
        Effect.gen(function* () {
          const home = yield* CertificateHome.empty
          mkdirSync(home.directory)
          writeFileSync(home.pathOf("rootCA.key"), generate().privateKey.export({ format: "pem", type: "pkcs8" }))
          const [key, certificate] = [home.pathOf("rootCA.key"), home.pathOf("rootCA.crt")]
          openssl(
            "req",
            "-x509",
            "-new",
            "-key",
            key,
            "-subj",
            "/O=Somebody/CN=Root",
            "-days",
            "9",
            "-out",
            certificate
          )
          assert.deepStrictEqual(yield* home.make(), ["server.crt", "client.crt"])
          yield* CertificateFiles.check(home.agent, yield* CertificateFiles.read(home.agent))
          assert.include(openssl("verify", "-CAfile", certificate, home.pathOf("server.crt")), "OK")
        })
      )
    }
  })
})
