/** `esb certs`: makes, renews and shows the certificates of a stack. */
import { Clock, Effect } from "effect"
import { join } from "node:path"
import * as CertificateSurvey from "#layers/x509/CertificateSurvey"
import * as Certificates from "./Certificates.ts"
import { type CertificateSettings, directoryIn } from "./CertificateSettings.ts"
import * as Home from "./Home.ts"
import { CommandFailed } from "./Refusal.ts"
import { table, voice } from "./Voice.ts"

export interface CertsFlags {
  readonly rotate: boolean
  readonly rotateCa: boolean
}

const dayMs = 86_400_000

const rowOf = ({ endsAtUnixMs, file, names, subject }: CertificateSurvey.Surveyed, nowMs: number) => {
  if (endsAtUnixMs === undefined) return [file, "–", "–", "–", ""]
  const daysLeft = Math.max(0, Math.floor((endsAtUnixMs - nowMs) / dayMs))
  return [file, subject, new Date(endsAtUnixMs).toISOString().slice(0, 16), String(daysLeft), names.join(", ")]
}

const toJson = ({ endsAtUnixMs, ...rest }: CertificateSurvey.Surveyed) => ({
  ...rest,
  ...(endsAtUnixMs === undefined ? {} : { validUntil: new Date(endsAtUnixMs).toISOString() })
})

/** Where certificates go that nobody has named a place for. */
const defaultDirectory = Effect.fnUntraced(function* (settings: CertificateSettings) {
  const home = (yield* Home.find) ?? join(process.cwd(), ".esb")
  // It keeps keys out of a repository.
  if (settings.directory === undefined) yield* Home.make(home)
  return directoryIn(home, settings)
})

export const certs = Effect.fnUntraced(function* ({ rotate, rotateCa }: CertsFlags, settings: CertificateSettings) {
  const { note, result } = yield* voice
  const directory = yield* defaultDirectory(settings)
  const made = yield* Certificates.make(directory, rotateCa ? "everything" : rotate ? "leaves" : "nothing", settings)
  note(made.length === 0 ? `All are there in ${directory}` : `Made ${made.join(", ")} in ${directory}`)
  if (rotateCa) note("Whoever trusts the authority of before needs the new rootCA.crt.")

  const found = yield* CertificateSurvey.survey(directory)
  const nowMs = yield* Clock.currentTimeMillis
  yield* result({ directory, made, certificates: found.map(toJson) }, () =>
    table(
      ["FILE", "SUBJECT", "VALID UNTIL", "DAYS LEFT", "NAMES"],
      found.map((entry) => rowOf(entry, nowMs))
    )
  )
  const problems = found.map(({ problem }) => problem).filter((problem) => problem !== "")
  if (problems.length > 0) {
    const message = `${problems.join("\n")}\nRenew them with esb certs --rotate, the authority with esb certs --rotate-ca.`
    return yield* new CommandFailed({ message })
  }
})
