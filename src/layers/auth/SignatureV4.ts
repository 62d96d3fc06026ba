/**
 * Verification of AWS Signature Version 4 against credentials issued here: any region and any service, in the header or
 * the query of a presigned URL. Pure over `node:crypto`; about ten microseconds for a body of 1 KiB.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 */
import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from "node:crypto"
import { Redacted, Result } from "effect"
import { SignatureIncomplete, SignatureRefused, UnknownCredential } from "#domain/Failure"
import type { SignedRequest } from "#services/Authenticator"
import {
  canonicalRequest,
  queryParameters,
  type ReceivedHeaders,
  receivedHeaders,
  splitTarget
} from "./CanonicalRequest.ts"
import {
  algorithm,
  formatTimestamp,
  fromHeader,
  fromQuery,
  parseTimestamp,
  type SignatureClaim
} from "./SignatureClaim.ts"

export interface Credential {
  readonly accessKeyId: string
  readonly secret: Redacted.Redacted
}

export type SignatureFailure = UnknownCredential | SignatureRefused | SignatureIncomplete

/** The access key id that signed the request, or why it is not believed. */
export type Verify = (request: SignedRequest, nowUnixMs: number) => Result.Result<string, SignatureFailure>

/** How far a caller's clock may be from ours. */
const skewMinutes = 5

/** Signing keys kept: one for each access key, day, region and service that signed correctly. */
const maxSigningKeys = 256

/** What a credential scope stands for. */
interface SigningKey {
  readonly accessKeyId: string
  readonly day: string
  /** `20260101/us-east-1/lambda/aws4_request` */
  readonly scope: string
  /** As an object, because preparing a key from its bytes costs five times the signature itself. */
  readonly key: KeyObject
}

const mismatch =
  "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key " +
  "and signing method. Consult the service documentation for details."

const hmac = (key: string | Buffer | KeyObject, text: string): Buffer => createHmac("sha256", key).update(text).digest()

const derive = (
  credential: string,
  secrets: ReadonlyMap<string, Redacted.Redacted>
): Result.Result<SigningKey, SignatureFailure> => {
  const [accessKeyId = "", day = "", region = "", service = "", terminator = "", ...rest] = credential.split("/")
  if (terminator === "" || rest.length > 0) {
    return Result.fail(
      new SignatureIncomplete({
        message:
          "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, " +
          `got '${credential}'`
      })
    )
  }
  const secret = secrets.get(accessKeyId)
  if (secret === undefined) {
    return Result.fail(new UnknownCredential())
  }
  if (terminator !== "aws4_request") {
    return Result.fail(
      new SignatureRefused({
        message: `Credential should be scoped with a valid terminator: 'aws4_request', not '${terminator}'.`
      })
    )
  }
  return Result.succeed({
    accessKeyId,
    day,
    scope: `${day}/${region}/${service}/${terminator}`,
    key: createSecretKey(hmac(hmac(hmac(hmac(`AWS4${Redacted.value(secret)}`, day), region), service), terminator))
  })
}

const refusedDay = (claim: SignatureClaim, day: string): SignatureRefused | undefined => {
  const signedOn = claim.timestamp.slice(0, 8)
  return signedOn === day
    ? undefined
    : new SignatureRefused({
        message:
          "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: " +
          `'${day}' != '${signedOn}', from '${claim.timestamp}'.`
      })
}

const refusedTime = (claim: SignatureClaim, nowUnixMs: number): SignatureRefused | undefined => {
  const { timestamp } = claim
  const signedAtMs = parseTimestamp(timestamp)
  const lifeMinutes = claim.expiresSeconds === undefined ? skewMinutes : claim.expiresSeconds / 60
  const oldestMs = nowUnixMs - lifeMinutes * 60_000
  const newestMs = nowUnixMs + skewMinutes * 60_000
  if (signedAtMs >= oldestMs && signedAtMs <= newestMs) {
    return undefined
  }
  const now = formatTimestamp(nowUnixMs)
  return new SignatureRefused({
    message:
      signedAtMs > newestMs
        ? `Signature not yet current: ${timestamp} is still later than ${formatTimestamp(newestMs)} (${now} + ${skewMinutes} min.)`
        : `Signature expired: ${timestamp} is now earlier than ${formatTimestamp(oldestMs)} (${now} - ${lifeMinutes} min.)`
  })
}

/**
 * Headers that decide what is done must be signed, or somebody on the way could change them. A session token may be added
 * after signing, and we issue none: it is ignored.
 */
const refusedHeaders = (signedHeaders: string, headers: ReceivedHeaders): SignatureRefused | undefined => {
  const signed = new Set(signedHeaders.split(";"))
  if (!signed.has("host")) {
    return new SignatureRefused({
      message: "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    })
  }
  for (const name of headers.keys()) {
    if (name.startsWith("x-amz-") && !signed.has(name) && name !== "x-amz-security-token") {
      return new SignatureRefused({
        message: `There were headers present in the request which were not signed: ${name}`
      })
    }
  }
  return undefined
}

/** The hash that was signed; `undefined` when it is not the hash of this body. */
const payloadHash = (headers: ReceivedHeaders, body: Uint8Array): string | undefined => {
  const declared = headers.get("x-amz-content-sha256")?.[0]?.trim()
  if (declared === "UNSIGNED-PAYLOAD") {
    return declared
  }
  const actual = hash("sha256", body)
  return declared === undefined || declared === actual ? actual : undefined
}

const isGenuine = (signature: string, expected: string): boolean =>
  signature.length === expected.length &&
  timingSafeEqual(Buffer.from(signature, "latin1"), Buffer.from(expected, "latin1"))

/** Remembers the signing keys of scopes that signed correctly, so that only genuine callers fill the memory. */
export const verifier = (credentials: ReadonlyArray<Credential>): Verify => {
  const secrets = new Map(credentials.map(({ accessKeyId, secret }) => [accessKeyId, secret]))
  const known = new Map<string, SigningKey>()

  const remember = (credential: string, key: SigningKey): void => {
    if (!known.has(credential) && known.size >= maxSigningKeys) {
      for (const oldest of known.keys()) {
        known.delete(oldest)
        break
      }
    }
    known.set(credential, key)
  }

  const signingKey = (credential: string): Result.Result<SigningKey, SignatureFailure> => {
    const remembered = known.get(credential)
    return remembered === undefined ? derive(credential, secrets) : Result.succeed(remembered)
  }

  return (request, nowUnixMs) => {
    const headers = receivedHeaders(request.rawHeaders)
    const [path, queryText] = splitTarget(request.target)
    const query = queryText === "" ? [] : queryParameters(queryText)
    const authorization = headers.get("authorization")?.[0]
    const claimed = authorization === undefined ? fromQuery(query) : fromHeader(authorization.trim(), headers)

    return Result.flatMap(claimed, (claim) =>
      Result.flatMap(signingKey(claim.credential), (signing) => {
        const objection =
          refusedDay(claim, signing.day) ??
          refusedTime(claim, nowUnixMs) ??
          refusedHeaders(claim.signedHeaders, headers)
        if (objection !== undefined) {
          return Result.fail(objection)
        }
        const payload = payloadHash(headers, request.body)
        if (payload === undefined) {
          return Result.fail(new SignatureRefused({ message: mismatch }))
        }
        const canonical = canonicalRequest({
          method: request.method,
          path,
          query: authorization === undefined ? query.filter(([name]) => name !== "X-Amz-Signature") : query,
          headers,
          signedHeaders: claim.signedHeaders,
          payloadHash: payload
        })
        const toSign = `${algorithm}\n${claim.timestamp}\n${signing.scope}\n${hash("sha256", Buffer.from(canonical, "latin1"))}`
        if (!isGenuine(claim.signature, hmac(signing.key, toSign).toString("hex"))) {
          return Result.fail(new SignatureRefused({ message: mismatch }))
        }
        remember(claim.credential, signing)
        return Result.succeed(signing.accessKeyId)
      })
    )
  }
}
