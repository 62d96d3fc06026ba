/** From an error of the AWS SDK to a failure of ours: what may pass, what is a matter of the access key, and what is final. */
import { StoreDenied, type StoreFailure, StoreRefused, StoreUnavailable } from "#domain/StoreFailure"

/** No answer came, and one may come later: the host has no address yet, nobody listens yet, or an answer took too long. */
const passing: ReadonlySet<string> = new Set([
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
  "TimeoutError"
])

/** The store is well and asks for patience. */
const busy: ReadonlySet<string> = new Set([
  "LimitExceededException",
  "OperationAborted",
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "RequestTimeout",
  "SlowDown",
  "ThrottlingException"
])

/** Told with other codes than 401 and 403, each by a store that we have met or by DynamoDB itself. */
const denying: ReadonlySet<string> = new Set([
  "AccessDenied",
  "AccessDeniedException",
  "ExpiredTokenException",
  "IncompleteSignatureException",
  "InvalidAccessKeyId",
  "InvalidSignatureException",
  "MissingAuthenticationTokenException",
  "SignatureDoesNotMatch",
  "UnrecognizedClientException",
  "XAdminUserNotFound"
])

/** What every request needs to know to tell of its failure. */
export interface Request {
  readonly endpoint: string
  /** `CreateTable orders` */
  readonly operation: string
}

interface AwsError {
  readonly name: string
  readonly message: string
  readonly code?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number }
}

const isAwsError = (cause: unknown): cause is AwsError => cause instanceof Error

/** The name a store gave its error; the SDK's words for none are left out. */
const reasonOf = ({ $metadata, name }: AwsError): string => {
  const status = $metadata?.httpStatusCode
  return status === undefined || !["Error", "Unknown", "UnknownError"].includes(name) ? name : `HTTP ${status}`
}

/** The answer to a HEAD has no body, and some other errors have no words. */
const detailOf = ({ message }: AwsError, status: number | undefined): string => {
  if (message !== "" && message !== "UnknownError") return message
  return status === 403 ? "the key or its secret is wrong, or this is somebody else's" : "it says no more"
}

/** The name of the error that a store answered with, for the few that mean something to the one who asked. */
export const nameOf = (cause: unknown): string | undefined => (isAwsError(cause) ? cause.name : undefined)

export const statusOf = (cause: unknown): number | undefined =>
  isAwsError(cause) ? cause.$metadata?.httpStatusCode : undefined

export const of =
  ({ endpoint, operation }: Request) =>
  (cause: unknown): StoreFailure => {
    if (!isAwsError(cause)) {
      return new StoreRefused({ endpoint, operation, reason: "Unknown", detail: String(cause), cause })
    }
    const [status, reason, detail] = [statusOf(cause), reasonOf(cause), detailOf(cause, statusOf(cause))]
    const isPassing =
      status === undefined
        ? passing.has(cause.name) || passing.has(String(cause.code))
        : busy.has(cause.name) || status === 429 || (status >= 500 && status !== 501)
    if (isPassing) {
      return new StoreUnavailable({ endpoint, detail: status === undefined ? detail : `${reason}: ${detail}`, cause })
    }
    return denying.has(cause.name) || status === 401 || status === 403
      ? new StoreDenied({ endpoint, operation, reason, detail, cause })
      : new StoreRefused({ endpoint, operation, reason, detail, cause })
  }
