/**
 * What a request says about its own signature, in the `Authorization` header or in the query of a presigned URL. Nothing
 * is believed here yet.
 */
import { hash } from "node:crypto"
import { Result } from "effect"
import { SignatureIncomplete } from "#domain/Failure"
import { type QueryParameters, queryValue, type ReceivedHeaders } from "./CanonicalRequest.ts"

export const algorithm = "AWS4-HMAC-SHA256"

export interface SignatureClaim {
  /** `<access key id>/<YYYYMMDD>/<region>/<service>/aws4_request` */
  readonly credential: string
  /** Lower-case names with `;` between them. */
  readonly signedHeaders: string
  /** 64 lower-case hex digits when it is genuine. */
  readonly signature: string
  /** `20260101T000000Z` */
  readonly timestamp: string
  /** How long a presigned URL holds; `undefined` for the header form. */
  readonly expiresSeconds: number | undefined
}

type Read<A> = Result.Result<A, SignatureIncomplete>

const incomplete = (message: string) => Result.fail(new SignatureIncomplete({ message }))

/** AWS shows the digest of a header it could not read, never the header. */
const digest = (text: string): string => hash("sha256", text, "base64")

const basicFormat = /^\d{8}T\d{6}Z$/

/** `20260101T000000Z`, to the second. */
export const formatTimestamp = (unixMs: number): string =>
  `${new Date(unixMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`

/** Milliseconds since 1970 of a timestamp in basic format; `NaN` when there is no such moment. */
export const parseTimestamp = (timestamp: string): number =>
  Date.parse(
    `${timestamp.slice(0, 4)}-${timestamp.slice(4, 6)}-${timestamp.slice(6, 8)}T` +
      `${timestamp.slice(9, 11)}:${timestamp.slice(11, 13)}:${timestamp.slice(13, 15)}Z`
  )

/** `X-Amz-Date` is written in basic format, `Date` mostly as HTTP writes dates; what was signed is always the basic format. */
const readTimestamp = (written: string): Read<string> => {
  if (basicFormat.test(written) && !Number.isNaN(parseTimestamp(written))) {
    return Result.succeed(written)
  }
  const unixMs = /^[A-Z][a-z]{2}, /.test(written) ? Date.parse(written) : Number.NaN
  return Number.isNaN(unixMs)
    ? incomplete(`Date must be in ISO-8601 'basic format'. Got '${written}'. See http://en.wikipedia.org/wiki/ISO_8601`)
    : Result.succeed(formatTimestamp(unixMs))
}

const fieldsOf = (authorization: string): Read<ReadonlyMap<string, string>> => {
  const fields = new Map<string, string>()
  for (const pair of authorization.slice(algorithm.length).split(",")) {
    const mark = pair.indexOf("=")
    if (mark < 0) {
      return incomplete(
        "Invalid key=value pair (missing equal-sign) in Authorization header " +
          `(hashed with SHA-256 and encoded with Base64): '${digest(authorization)}'.`
      )
    }
    fields.set(pair.slice(0, mark).trim(), pair.slice(mark + 1).trim())
  }
  return Result.succeed(fields)
}

const noFields: ReadonlyMap<string, string> = new Map()

const readFields = (authorization: string): Read<ReadonlyMap<string, string>> => {
  if (authorization.startsWith(`${algorithm} `)) {
    return fieldsOf(authorization)
  }
  return authorization.startsWith("AWS4-")
    ? incomplete(`Unsupported AWS 'algorithm': '${authorization.split(" ", 1)[0] ?? ""}'.`)
    : Result.succeed(noFields)
}

/** The header form: `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…` and a date. */
export const fromHeader = (authorization: string, headers: ReceivedHeaders): Read<SignatureClaim> =>
  Result.flatMap(readFields(authorization), (fields) => {
    const credential = fields.get("Credential")
    const signature = fields.get("Signature")
    const signedHeaders = fields.get("SignedHeaders")
    const written = headers.get("x-amz-date")?.[0] ?? headers.get("date")?.[0]
    if (credential === undefined || signature === undefined || signedHeaders === undefined || written === undefined) {
      const missing = [
        credential === undefined ? "Authorization header requires 'Credential' parameter. " : "",
        signature === undefined ? "Authorization header requires 'Signature' parameter. " : "",
        signedHeaders === undefined ? "Authorization header requires 'SignedHeaders' parameter. " : "",
        written === undefined
          ? "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
          : ""
      ]
      return incomplete(
        `${missing.join("")}(Hashed with SHA-256 and encoded with Base64) Authorization=${digest(authorization)}`
      )
    }
    return Result.map(readTimestamp(written.trim()), (timestamp) => ({
      credential,
      signedHeaders,
      signature,
      timestamp,
      expiresSeconds: undefined
    }))
  })

/** A week: the longest a presigned URL may hold. */
const maxExpiresSeconds = 604_800

/** The presigned form: everything in the query. */
export const fromQuery = (query: QueryParameters): Read<SignatureClaim> => {
  const credential = queryValue(query, "X-Amz-Credential")
  const signature = queryValue(query, "X-Amz-Signature")
  const signedHeaders = queryValue(query, "X-Amz-SignedHeaders")
  const written = queryValue(query, "X-Amz-Date")
  const expires = queryValue(query, "X-Amz-Expires")
  if (queryValue(query, "X-Amz-Algorithm") !== algorithm) {
    return incomplete(`AWS query-string parameters must include 'X-Amz-Algorithm=${algorithm}'.`)
  }
  if (
    credential === undefined ||
    signature === undefined ||
    signedHeaders === undefined ||
    written === undefined ||
    expires === undefined
  ) {
    return incomplete(
      "AWS query-string parameters must include 'X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Signature', " +
        "'X-Amz-SignedHeaders', 'X-Amz-Date' and 'X-Amz-Expires'."
    )
  }
  if (!/^\d{1,6}$/.test(expires) || Number(expires) < 1 || Number(expires) > maxExpiresSeconds) {
    return incomplete(`X-Amz-Expires must be a number of seconds between 1 and ${maxExpiresSeconds}.`)
  }
  return Result.map(readTimestamp(written), (timestamp) => ({
    credential,
    signedHeaders,
    signature,
    timestamp,
    expiresSeconds: Number(expires)
  }))
}
