/** Makes the certificates of a stack in one directory: what is missing, and what is to be renewed. What else is there stays. */
import { createPrivateKey, X509Certificate } from "node:crypto"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { Clock, Duration, Effect, Redacted } from "effect"
import * as CertificateAuthority from "./CertificateAuthority.ts"
import type { Leaf } from "./CertificateAuthority.ts"
import {
  authority,
  CertificatesNotMade,
  client,
  makeDirectory,
  type Pair,
  presence,
  replace,
  server
} from "./FilePairs.ts"
import * as Leaves from "./Leaves.ts"

export interface Wish {
  readonly directory: string
  /** What is made anew although it is there. */
  readonly renew: "nothing" | "leaves" | "everything"
  /** Names of the server besides those that every stack has, and those that its certificate has now. */
  readonly serverNames: ReadonlyArray<string>
  /** How long leaves are valid. */
  readonly validity: Duration.Duration
}

const leaves: ReadonlyArray<{ readonly pair: Pair; readonly leaf: (names: ReadonlyArray<string>) => Leaf }> = [
  { pair: server, leaf: Leaves.server },
  { pair: client, leaf: () => Leaves.gateway }
]

const authorityName = "ESB Local CA"

/** A clock that is slow by less than this believes a new certificate. */
const backdating = Duration.hours(1)

/** An authority lasts for as long, unless its first leaves need longer. */
const defaultValidity = Duration.hours(87_600)

const notMade = (directory: string, name: string, detail: string) =>
  new CertificatesNotMade({ path: join(directory, name), detail })

const periodFor = (validity: Duration.Duration): Effect.Effect<CertificateAuthority.Period> =>
  Effect.map(Clock.currentTimeMillis, (nowMs) => ({
    from: new Date(nowMs - Duration.toMillis(backdating)),
    to: new Date(nowMs + Duration.toMillis(validity))
  }))

const textOf = (directory: string, name: string) =>
  Effect.tryPromise({
    try: () => readFile(join(directory, name), "utf8"),
    catch: (cause) => notMade(directory, name, `cannot be read: ${String(cause)}`)
  })

/** The authority that is there, when it can certify somebody. */
const openAuthority = Effect.fnUntraced(function* (directory: string) {
  const [certificate, key] = yield* Effect.all([
    textOf(directory, authority.certificate),
    textOf(directory, authority.key)
  ])
  const nowMs = yield* Clock.currentTimeMillis
  const objection = yield* Effect.try({
    try: () => {
      const parsed = new X509Certificate(certificate)
      if (!parsed.ca) return "is not the certificate of an authority"
      if (!parsed.checkPrivateKey(createPrivateKey(key))) return `does not belong to ${authority.key}`
      return parsed.validToDate.getTime() > nowMs ? undefined : "has expired"
    },
    catch: () => notMade(directory, authority.certificate, `or ${authority.key} is not PEM`)
  })
  if (objection !== undefined) {
    return yield* notMade(directory, authority.certificate, `${objection}: renew everything with esb certs --rotate-ca`)
  }
  return { certificate, key: Redacted.make(key) } satisfies CertificateAuthority.Issued
})

/** Names that a server was given before go on to its next certificate. */
const earlierNames = (directory: string) =>
  textOf(directory, server.certificate).pipe(
    Effect.flatMap((text) => Effect.try(() => Leaves.namesIn(new X509Certificate(text)).filter(Leaves.isServerName))),
    // There is none, or it is none: then nothing was promised to anybody.
    Effect.orElseSucceed((): ReadonlyArray<string> => [])
  )

const back = "put it back, or renew everything with esb certs --rotate-ca"

/** Who certifies: the authority that is there, or a new one when nothing is. */
const certifier = Effect.fnUntraced(function* ({ directory, renew, validity }: Wish, hasLeaves: boolean) {
  const { certificate, key } = yield* presence(directory, authority)
  if (renew === "everything" || (!certificate && !key && !hasLeaves)) {
    const period = yield* periodFor(Duration.max(validity, defaultValidity))
    return { isNew: true, issued: yield* CertificateAuthority.make(authorityName, period) }
  }
  if (!certificate)
    return yield* notMade(directory, authority.certificate, `is not there, but what belongs to it is: ${back}`)
  if (!key)
    return yield* notMade(directory, authority.key, `is not there, and nothing can be certified without it: ${back}`)
  return { isNew: false, issued: yield* openAuthority(directory) }
})

/** Writes nothing when it fails. Answers the names of the certificates that were made. */
export const make = Effect.fnUntraced(function* (
  wish: Wish
): Effect.fn.Return<ReadonlyArray<string>, CertificatesNotMade> {
  const { directory, renew } = wish
  yield* makeDirectory(directory)
  const found = yield* Effect.forEach(leaves, ({ leaf, pair }) =>
    Effect.map(presence(directory, pair), (there) => ({ leaf, pair, there }))
  )
  const half = found.find(({ there }) => there.certificate !== there.key)
  if (half !== undefined && renew === "nothing") {
    const { pair, there } = half
    const [here, gone] = there.certificate ? [pair.certificate, pair.key] : [pair.key, pair.certificate]
    return yield* notMade(
      directory,
      gone,
      `is not there, but ${here} is: put it back, or renew both with esb certs --rotate`
    )
  }
  const wanted = found.filter(({ there }) => renew !== "nothing" || !there.certificate)
  if (wanted.length === 0) return []

  const hasLeaves = found.some(({ there }) => there.certificate || there.key)
  const { isNew, issued } = yield* certifier(wish, hasLeaves)
  const period = yield* periodFor(wish.validity)
  const names = [...(yield* earlierNames(directory)), ...wish.serverNames]
  const made = yield* Effect.forEach(wanted, ({ leaf, pair }) =>
    CertificateAuthority.issue(issued, leaf(names), period).pipe(
      Effect.map((leaf) => [pair, leaf] as const),
      Effect.mapError(({ message }) => notMade(directory, authority.key, `cannot be used: ${message}`))
    )
  )
  const pairs = isNew ? [[authority, issued] as const, ...made] : made
  yield* replace(directory, pairs)
  return pairs.map(([{ certificate }]) => certificate)
})
