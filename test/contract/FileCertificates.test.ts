import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Layer, Redacted, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import * as FileCertificates from "#layers/x509/FileCertificates"
import * as NoCertificates from "#layers/x509/NoCertificates"
import { type CertificateBundle, Certificates } from "#services/Certificates"
import * as CertificateHome from "#test/support/CertificateHome"
import { eventually } from "#test/support/Eventually"
import * as Peers from "#test/support/Peers"

interface Subject {
  readonly home: CertificateHome.CertificateHome
  readonly current: () => CertificateBundle | undefined
  /** Every bundle that was told of. */
  readonly told: ReadonlyArray<CertificateBundle>
  readonly lines: ReadonlyArray<string>
  readonly complaints: () => ReadonlyArray<string>
  readonly write: (name: string, text: string) => void
}

const lookEvery = Duration.millis(10)

/** An Agent's certificates, good for a day and looked at often. */
const open = Effect.fnUntraced(function* (
  validity = Duration.days(3650),
  every = lookEvery
): Effect.fn.Return<Subject, unknown, Scope.Scope> {
  const home = yield* CertificateHome.empty
  yield* home.make({ validity })
  const log = Peers.recordedLog()
  const layer = FileCertificates.layer({ ...home.agent, lookEvery: every }).pipe(Layer.provide(log.layer))
  const certificates = Context.get(yield* Layer.build(layer), Certificates)
  const told: Array<CertificateBundle> = []
  const listening = Stream.runForEach(certificates.changes, (bundle) => Effect.sync(() => void told.push(bundle)))
  yield* Effect.forkScoped(listening, { startImmediately: true })
  return {
    home,
    current: certificates.current,
    told,
    lines: log.lines,
    complaints: () => log.lines.filter((line) => line.startsWith("Error")),
    write: (name, text) => writeFileSync(home.pathOf(name), text)
  }
})

const until = (what: string, holds: () => boolean) =>
  eventually(
    what,
    Effect.sync(() => holds()),
    (seen) => seen
  )

/** Long enough for several looks. */
const aWhile = Effect.sleep("100 millis")

describe("FileCertificates", () => {
  it.live("offers what the files hold", () =>
    Effect.gen(function* () {
      const { current, home } = yield* open()
      const bundle = current()
      assert.isDefined(bundle)
      assert.deepStrictEqual(
        [bundle.certificate, Redacted.value(bundle.key), bundle.authority],
        ["server.crt", "server.key", "rootCA.crt"].map(home.text)
      )
    })
  )

  const unusable: Readonly<Record<string, readonly [(home: CertificateHome.CertificateHome) => void, string, RegExp]>> =
    {
      "a file that is missing": [({ pathOf }) => rmSync(pathOf("server.key")), "server.key", /does not exist/],
      "a directory where a file should be": [
        ({ pathOf }) => {
          rmSync(pathOf("rootCA.crt"))
          mkdirSync(pathOf("rootCA.crt"))
        },
        "rootCA.crt",
        /is a directory/
      ],
      "what is no certificate": [
        ({ pathOf }) => writeFileSync(pathOf("server.crt"), "?"),
        "server.crt",
        /not a PEM certificate/
      ],
      "what is no key": [({ pathOf }) => writeFileSync(pathOf("server.key"), "?"), "server.key", /not a PEM key/],
      "a file that is half there": [
        ({ pathOf }) => truncateSync(pathOf("server.crt"), 300),
        "server.crt",
        /not a PEM certificate/
      ],
      "another's key": [
        ({ pathOf, text }) => writeFileSync(pathOf("server.key"), text("client.key")),
        "server.key",
        /is not the key of .*server\.crt/
      ],
      "a certificate of nobody we know": [
        ({ pathOf, text }) => writeFileSync(pathOf("rootCA.crt"), text("client.crt")),
        "server.crt",
        /is not signed by the authority in .*rootCA\.crt/
      ]
    }
  for (const [what, [spoil, name, detail]] of Object.entries(unusable)) {
    it.live(`does not start with ${what}, names the file and says what to do`, () =>
      Effect.gen(function* () {
        const home = yield* CertificateHome.made
        spoil(home)
        const failure = yield* Effect.flip(Layer.build(FileCertificates.layer(home.agent)))
        assert.strictEqual(failure._tag, "CertificateUnusable")
        assert.strictEqual(failure.path, home.pathOf(name))
        assert.match(failure.message, detail)
        assert.include(failure.message, "esb certs")
      })
    )
  }

  it.effect("does not start with certificates that have expired, or are not valid yet", () =>
    Effect.gen(function* () {
      // The clock of these tests begins in 1970.
      yield* TestClock.setTime(Date.UTC(2030, 0, 1))
      const home = yield* CertificateHome.empty
      yield* home.make({ validity: Duration.days(10) })
      const start = Effect.scoped(Layer.build(FileCertificates.layer(home.agent)))
      yield* start
      yield* TestClock.adjust("11 days")
      assert.match((yield* Effect.flip(start)).message, /server\.crt has expired on 2030-01-11T/)
      yield* TestClock.setTime(Date.UTC(2029, 11, 31))
      assert.match((yield* Effect.flip(start)).message, /server\.crt is not valid before 2029-12-31T23/)
    })
  )

  it.live("takes a renewed certificate, tells of it, and says so in the log", () =>
    Effect.gen(function* () {
      const { complaints, current, home, lines, told } = yield* open()
      const before = current()
      for (const count of [1, 2, 3]) {
        yield* home.make({ renew: "leaves" })
        yield* until("it is told of", () => told.length === count)
        assert.strictEqual(current()?.certificate, home.text("server.crt"))
      }
      assert.notStrictEqual(current(), before)
      assert.deepStrictEqual(complaints(), [])
      assert.lengthOf(
        lines.filter((line) => line.startsWith("Info New certificate")),
        3
      )
    })
  )

  it.live(
    "believes a new authority before it shows what that has certified, and the old one until all have followed",
    () =>
      Effect.gen(function* () {
        const { complaints, current, home, told } = yield* open()
        const before = current()
        yield* home.make({ renew: "everything" })
        yield* until("it is done", () => told.length === 3)
        const [server, authority] = ["server.crt", "rootCA.crt"].map(home.text)
        assert.deepStrictEqual(
          told.map((bundle) => [bundle.certificate, bundle.authority]),
          [
            [before?.certificate, `${authority}\n${before?.authority}`],
            [server, `${authority}\n${before?.authority}`],
            [server, authority]
          ]
        )
        assert.strictEqual(current(), told[2])
        assert.deepStrictEqual(complaints(), [])
      })
  )

  it.live("keeps what it has while half of a pair is new, and says so once when that lasts", () =>
    Effect.gen(function* () {
      const { complaints, current, home, told, write } = yield* open()
      const before = current()
      const other = yield* CertificateHome.made
      const renewed = yield* Peers.issue(
        { certificate: home.text("rootCA.crt"), key: Redacted.make(home.text("rootCA.key")) },
        Peers.agent
      )
      write("server.key", Redacted.value(renewed.key))
      yield* until("there is a complaint", () => complaints().length > 0)
      yield* aWhile
      assert.match(
        complaints().join("\n"),
        /^Error New certificates cannot be used, so those before stay\. .*server\.key is not the key of/
      )
      assert.lengthOf(complaints(), 1)
      write("server.crt", renewed.certificate.slice(0, 200))
      yield* until("the next complaint", () => complaints().length === 2)
      write("server.crt", other.text("server.crt"))
      yield* until("another complaint", () => complaints().length === 3)
      assert.deepStrictEqual([current(), told.length], [before, 0])
      write("server.crt", renewed.certificate)
      yield* until("the pair is whole", () => current()?.certificate === renewed.certificate)
      assert.lengthOf(complaints(), 3)
    })
  )

  it.live("keeps what it has when files are gone, and is silent when they come back as they were", () =>
    Effect.gen(function* () {
      const { complaints, current, home, told, write } = yield* open()
      const [before, key] = [current(), home.text("server.key")]
      for (const round of [1, 2]) {
        rmSync(home.pathOf("server.key"))
        yield* until("a complaint", () => complaints().length === round)
        write("server.key", key)
        yield* aWhile
      }
      assert.deepStrictEqual([current(), told.length, complaints().length], [before, 0, 2])
    })
  )

  it.live("says nothing of a pair that is apart for a moment", () =>
    Effect.gen(function* () {
      const subject = yield* open(Duration.days(1000), Duration.millis(300))
      const { key, ...renewed } = yield* Peers.issue(
        { certificate: subject.home.text("rootCA.crt"), key: Redacted.make(subject.home.text("rootCA.key")) },
        Peers.agent
      )
      subject.write("server.key", Redacted.value(key))
      // One look at most.
      yield* Effect.sleep("250 millis")
      subject.write("server.crt", renewed.certificate)
      yield* until("it is taken", () => subject.told.length === 1)
      assert.deepStrictEqual(subject.complaints(), [])
    })
  )

  it.effect("warns once a day of a certificate that ends in less than thirty days, until it is renewed", () =>
    Effect.gen(function* () {
      const start = Date.UTC(2030, 0, 1)
      yield* TestClock.setTime(start)
      const { home, lines } = yield* open(Duration.days(32), Duration.hours(6))
      const warnings = () => lines.filter((line) => line.startsWith("Warn")).length
      /** One look at the files, which takes its own time. */
      const look = Effect.andThen(TestClock.adjust("6 hours"), TestClock.withLive(Effect.sleep("50 millis")))
      /** The day on which there are so many warnings. */
      const dayOf = Effect.fnUntraced(function* (count: number) {
        for (let looks = 0; warnings() < count && looks < 50; looks++) yield* look
        return ((yield* Clock.currentTimeMillis) - start) / 86_400_000
      })
      assert.strictEqual(warnings(), 0)
      const [first, second] = [yield* dayOf(1), yield* dayOf(2)]
      assert.isTrue(first >= 2 && first < 3, `the first on day ${first}`)
      assert.isTrue(second - first >= 1 && second - first < 2, `the second on day ${second}`)
      const told = /^Warn The certificate in .*server\.crt expires on 2030-02-02: renew it with esb certs --rotate$/
      assert.match(lines.at(-1) ?? "", told)
      yield* home.make({ renew: "leaves" })
      yield* Effect.repeat(look, { times: 8 })
      assert.strictEqual(warnings(), 2)
    })
  )

  it.live("offers nothing where there is to be no TLS, and says once what that means", () =>
    Effect.gen(function* () {
      const log = Peers.recordedLog()
      const layer = NoCertificates.layer.pipe(Layer.provide(log.layer))
      const certificates = Context.get(yield* Layer.build(Layer.merge(layer, layer)), Certificates)
      assert.isUndefined(certificates.current())
      assert.lengthOf(log.lines, 1)
      assert.match(log.lines[0] ?? "", /^Warn .*neither encrypted nor checked/)
    })
  )
})
