/** What `esb doctor` says of certificates. */
import { Clock, Effect } from "effect"
import type { Surveyed } from "#layers/x509/CertificateSurvey"
import * as CertificateSurvey from "#layers/x509/CertificateSurvey"
import type { Finding } from "./Finding.ts"

const dayMs = 86_400_000

const states = { fine: "ok", soon: "advice", expired: "expired", broken: "missing" } as const

const remedyOf = ({ file, state }: Surveyed): string => {
  if (state === "fine") return ""
  return file.startsWith("rootCA") ? "esb certs --rotate-ca, which renews everything" : "esb certs --rotate"
}

const detailOf = ({ endsAtUnixMs = 0, problem }: Surveyed, nowMs: number): string => {
  const days = Math.floor((endsAtUnixMs - nowMs) / dayMs)
  return problem === "" ? `until ${new Date(endsAtUnixMs).toISOString().slice(0, 10)}, ${days} days left` : problem
}

/** Nothing where there are none: only a Gateway with an Agent needs any. */
export const findings = Effect.fnUntraced(function* (directory: string) {
  const found = yield* CertificateSurvey.survey(directory)
  const nowMs = yield* Clock.currentTimeMillis
  return found.map((entry): Finding => ({
    mode: "certificates",
    what: entry.file,
    state: states[entry.state],
    detail: detailOf(entry, nowMs),
    remedy: remedyOf(entry)
  }))
})
