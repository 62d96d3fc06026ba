/** What certificates a directory holds, and what is to be said of each. */
import { basename, join } from "node:path"
import type { X509Certificate } from "node:crypto"
import { Clock, Effect } from "effect"
import * as CertificateFiles from "./CertificateFiles.ts"
import { authority, client, type Pair, server } from "./FilePairs.ts"
import * as Leaves from "./Leaves.ts"

export interface Surveyed {
  /** `server.crt` */
  readonly file: string
  /** `CN=localhost`; empty where there is no certificate. */
  readonly subject: string
  /** `localhost`, `127.0.0.1`, `esb:gateway`. */
  readonly names: ReadonlyArray<string>
  /** `undefined` where there is no certificate. */
  readonly endsAtUnixMs: number | undefined
  /** `soon`: in less than 30 days; `broken`: no peer would believe it, for another reason than its age. */
  readonly state: "fine" | "soon" | "expired" | "broken"
  /** What is wrong with it; empty when nothing is. */
  readonly problem: string
}

const stateOf = (endsAtUnixMs: number, nowMs: number, problem: string): Surveyed["state"] => {
  if (endsAtUnixMs <= nowMs) return "expired"
  if (problem !== "") return "broken"
  return endsAtUnixMs - nowMs < CertificateFiles.soonMs ? "soon" : "fine"
}

/** What a peer would find wrong with a leaf. */
const flawOf = (paths: CertificateFiles.Paths) =>
  CertificateFiles.read(paths).pipe(
    Effect.flatMap((texts) => CertificateFiles.check(paths, texts)),
    Effect.match({ onFailure: ({ detail, path }) => `${basename(path)} ${detail}`, onSuccess: () => "" })
  )

const flawOfAuthority = ({ certificatePath }: CertificateFiles.Paths, certificate: X509Certificate, nowMs: number) => {
  const flaw = certificate.ca ? CertificateFiles.untimely(certificate, nowMs) : "is not the certificate of an authority"
  return flaw === undefined ? "" : `${basename(certificatePath)} ${flaw}`
}

const surveyOne = Effect.fnUntraced(function* (directory: string, pair: Pair) {
  const certificatePath = join(directory, pair.certificate)
  const parsed = yield* CertificateFiles.certificateIn(certificatePath, yield* CertificateFiles.textOf(certificatePath))
  const paths = {
    certificatePath,
    keyPath: join(directory, pair.key),
    authorityPath: join(directory, authority.certificate)
  }
  const nowMs = yield* Clock.currentTimeMillis
  const endsAtUnixMs = parsed.validToDate.getTime()
  const problem = pair === authority ? flawOfAuthority(paths, parsed, nowMs) : yield* flawOf(paths)
  return {
    file: pair.certificate,
    subject: parsed.subject.replaceAll("\n", ", "),
    names: Leaves.namesIn(parsed),
    endsAtUnixMs,
    state: stateOf(endsAtUnixMs, nowMs, problem),
    problem
  } satisfies Surveyed
})

const missing = ({ certificate }: Pair, detail: string): Surveyed => ({
  file: certificate,
  subject: "",
  names: [],
  endsAtUnixMs: undefined,
  state: "broken",
  problem: `${certificate} ${detail}`
})

/** Empty where none of them is. The key of the authority need not be there: it may be kept in a safer place. */
export const survey = Effect.fnUntraced(function* (directory: string) {
  const surveyed: ReadonlyArray<Surveyed> = yield* Effect.forEach([authority, server, client], (pair) =>
    surveyOne(directory, pair).pipe(Effect.catch(({ detail }) => Effect.succeed(missing(pair, detail))))
  )
  return surveyed.some(({ endsAtUnixMs }) => endsAtUnixMs !== undefined) ? surveyed : []
})
