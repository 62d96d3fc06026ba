/**
 * Certificates in files, which are looked at again and again: a good new bundle takes the place of the one in use, a bad one
 * never does. Certificate and key are two files, and a writer may be between them: only what stays bad is told.
 */
import { Clock, Duration, Effect, Layer, PubSub, Stream } from "effect"
import { type CertificateBundle, Certificates } from "#services/Certificates"
import * as CertificateFiles from "./CertificateFiles.ts"
import * as Succession from "./Succession.ts"

export interface Options extends CertificateFiles.Paths {
  readonly lookEvery?: Duration.Duration
}

const defaultLookEvery = Duration.seconds(5)

/** A peer that looks as often as we do has looked after so many of our looks. */
const looksOfPatience = 2

/** How often a certificate that is to be renewed is warned about. */
const remindEveryMs = Duration.toMillis(Duration.days(1))

/** Peers on one machine look at the same moments, so that renewed certificates come to both at about the same time. */
const nextLook = (every: Duration.Duration): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
    const everyMs = Math.max(1, Duration.toMillis(every))
    return Effect.sleep(everyMs - (nowMs % everyMs))
  })

const dateOf = (unixMs: number): string => new Date(unixMs).toISOString().slice(0, 10)

/** Warns of a certificate that ends soon, or has ended. A new one is news from the start. */
const makeReminder = (path: string) => {
  let remindedOf: CertificateFiles.Checked | undefined
  let remindedAtMs = 0
  return Effect.fnUntraced(function* (checked: CertificateFiles.Checked) {
    const { endsAtUnixMs, renewal } = checked
    const nowMs = yield* Clock.currentTimeMillis
    const isFresh = remindedOf === checked && nowMs - remindedAtMs < remindEveryMs
    if (endsAtUnixMs - nowMs > CertificateFiles.soonMs || isFresh) return
    remindedOf = checked
    remindedAtMs = nowMs
    const told = `${endsAtUnixMs > nowMs ? "expires on" : "has expired on"} ${dateOf(endsAtUnixMs)}`
    yield* Effect.logWarning(`The certificate in ${path} ${told}: renew it with ${renewal}`)
  })
}

/** Tells a complaint when it is heard for the second time in a row, and not again until something was good. */
const makeComplaints = () => {
  let heard = ""
  let told = ""
  return {
    settle: Effect.sync(() => {
      heard = told = ""
    }),
    hear: ({ message }: CertificateFiles.CertificateUnusable) =>
      Effect.suspend(() => {
        const isOld = message === told || message !== heard
        heard = message
        if (isOld) return Effect.void
        told = message
        return Effect.logError(`New certificates cannot be used, so those before stay. ${message}`)
      })
  }
}

/** Fails when the files are no good at the start. */
export const layer = (options: Options): Layer.Layer<Certificates, CertificateFiles.CertificateUnusable> =>
  Layer.effect(
    Certificates,
    Effect.gen(function* () {
      const { certificatePath, lookEvery = defaultLookEvery } = options
      // Who is behind needs the newest only.
      const changes = yield* PubSub.sliding<CertificateBundle>(1)
      const remind = makeReminder(certificatePath)
      const complaints = makeComplaints()
      let texts = yield* CertificateFiles.read(options)
      let checked = yield* CertificateFiles.check(options, texts)
      let current = checked.bundle

      const succeed = Effect.fnUntraced(function* (bundle: CertificateBundle) {
        for (const [index, step] of Succession.steps(current, bundle).entries()) {
          if (index > 0) yield* Effect.sleep(Duration.times(lookEvery, looksOfPatience))
          current = step
          yield* PubSub.publish(changes, step)
        }
      })

      const look = Effect.gen(function* () {
        const found = yield* CertificateFiles.read(options)
        if (!CertificateFiles.isSame(found, texts)) {
          const good = yield* CertificateFiles.check(options, found)
          texts = found
          checked = good
          yield* succeed(good.bundle)
          yield* Effect.logInfo(`New certificate from ${certificatePath}, good until ${dateOf(good.endsAtUnixMs)}`)
        }
        yield* complaints.settle
      }).pipe(Effect.catch(complaints.hear))

      yield* Effect.suspend(() => remind(checked)).pipe(
        Effect.andThen(nextLook(lookEvery)),
        Effect.andThen(look),
        // A defect costs one look at the files, not all further ones.
        Effect.catchDefect((defect) => Effect.logError("The certificates could not be looked at", defect)),
        Effect.forever,
        Effect.forkScoped
      )
      return Certificates.of({ current: () => current, changes: Stream.fromPubSub(changes) })
    })
  )
