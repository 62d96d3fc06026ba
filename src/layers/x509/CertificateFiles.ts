/** Three PEM files that belong together: read, and checked before anybody is shown them. */
import { createPrivateKey, X509Certificate } from "node:crypto"
import { readFile } from "node:fs/promises"
import { createSecureContext } from "node:tls"
import { Clock, Duration, Effect, Redacted, Schema } from "effect"
import type { CertificateBundle } from "#services/Certificates"

export interface Paths {
  readonly certificatePath: string
  readonly keyPath: string
  /** Certificate of the authority, or several. */
  readonly authorityPath: string
}

/** A file that no connection can be made with. */
export class CertificateUnusable extends Schema.TaggedError<CertificateUnusable>()("CertificateUnusable", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.path} ${this.detail}. esb certs makes what is missing, esb certs --rotate renews certificates.`
  }
}

/** As they are on the disk. */
export interface Texts {
  readonly certificate: string
  readonly key: string
  readonly authority: string
}

export const isSame = (left: Texts, right: Texts): boolean =>
  left.certificate === right.certificate && left.key === right.key && left.authority === right.authority

/** A certificate that ends sooner than this is to be renewed. */
export const soonMs = Duration.toMillis(Duration.days(30))

export interface Checked {
  readonly bundle: CertificateBundle
  /** After this, no peer believes it: the certificate's own end or its authority's, whichever comes first. */
  readonly endsAtUnixMs: number
  /** What renews whichever comes first. */
  readonly renewal: "esb certs --rotate" | "esb certs --rotate-ca"
}

const unusable = (path: string, detail: string) => new CertificateUnusable({ path, detail })

const troubles: Readonly<Record<string, string>> = {
  EACCES: "may not be read by this user",
  EISDIR: "is a directory",
  ENOENT: "does not exist"
}

export const textOf = (path: string) =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) => {
      const { code = "", message } = cause as NodeJS.ErrnoException
      return unusable(path, troubles[code] ?? `cannot be read: ${message}`)
    }
  })

export const read = ({ authorityPath, certificatePath, keyPath }: Paths): Effect.Effect<Texts, CertificateUnusable> =>
  Effect.all({ certificate: textOf(certificatePath), key: textOf(keyPath), authority: textOf(authorityPath) })

const parse = <A>(path: string, detail: string, parse: () => A): Effect.Effect<A, CertificateUnusable> =>
  Effect.mapError(Effect.try(parse), () => unusable(path, detail))

const notPem = "is not a PEM certificate"

export const certificateIn = (path: string, text: string) => parse(path, notPem, () => new X509Certificate(text))

const eachCertificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

const authoritiesOf = (path: string, text: string) =>
  parse(path, notPem, () => {
    const [first, ...others] = text.match(eachCertificate) ?? []
    return [new X509Certificate(first ?? text), ...others.map((pem) => new X509Certificate(pem))] as const
  })

const isIssuedBy = (certificate: X509Certificate, authority: X509Certificate): boolean =>
  authority.ca && certificate.checkIssued(authority) && certificate.verify(authority.publicKey)

/** What the clock has against a certificate. */
export const untimely = ({ validFromDate, validToDate }: X509Certificate, nowMs: number): string | undefined => {
  if (validToDate.getTime() <= nowMs) return `has expired on ${validToDate.toISOString()}`
  if (validFromDate.getTime() <= nowMs) return undefined
  return `is not valid before ${validFromDate.toISOString()}, and this machine's clock is not there yet`
}

const checkPeriod = Effect.fnUntraced(function* (path: string, certificate: X509Certificate) {
  const detail = untimely(certificate, yield* Clock.currentTimeMillis)
  if (detail !== undefined) return yield* unusable(path, detail)
})

/** Everything that a peer would find wrong, found here first. */
export const check = Effect.fnUntraced(function* (
  paths: Paths,
  texts: Texts
): Effect.fn.Return<Checked, CertificateUnusable> {
  const { authorityPath, certificatePath, keyPath } = paths
  const certificate = yield* certificateIn(certificatePath, texts.certificate)
  const key = yield* parse(keyPath, "is not a PEM key without a password", () => createPrivateKey(texts.key))
  const authorities = yield* authoritiesOf(authorityPath, texts.authority)

  if (!certificate.checkPrivateKey(key)) return yield* unusable(keyPath, `is not the key of ${certificatePath}`)
  const issuer = authorities.find((authority) => isIssuedBy(certificate, authority))
  if (issuer === undefined) {
    return yield* unusable(certificatePath, `is not signed by the authority in ${authorityPath}`)
  }
  yield* checkPeriod(certificatePath, certificate)
  yield* checkPeriod(authorityPath, issuer)
  yield* parse(certificatePath, "is not accepted by OpenSSL, for its algorithm or the size of its key", () =>
    createSecureContext({ cert: texts.certificate, key: texts.key, ca: texts.authority })
  )
  const ownEndMs = certificate.validToDate.getTime()
  const authorityEndMs = issuer.validToDate.getTime()
  return {
    bundle: { certificate: texts.certificate, key: Redacted.make(texts.key), authority: texts.authority },
    endsAtUnixMs: Math.min(ownEndMs, authorityEndMs),
    renewal: ownEndMs < authorityEndMs ? "esb certs --rotate" : "esb certs --rotate-ca"
  }
})
