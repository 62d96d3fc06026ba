/**
 * Every failure that can reach a wire, and how each wire tells it. A failure knows no transport; {@link wire} is the one
 * place that does, and a failure without a row does not compile.
 */
import { Schema } from "effect"

const Cause = Schema.Defect()

/** No function of this name is deployed, or it has no such version or alias. */
export class FunctionNotFound extends Schema.TaggedError<FunctionNotFound>()("FunctionNotFound", {
  functionName: Schema.String,
  arn: Schema.String
}) {
  override get message() {
    return `Function not found: ${this.arn}`
  }
}

/** The caller named a function by an ARN of another region than the one that is served here. */
export class FunctionElsewhere extends Schema.TaggedError<FunctionElsewhere>()("FunctionElsewhere", {
  functionRegion: Schema.String,
  region: Schema.String
}) {
  override get message() {
    return `Functions from '${this.functionRegion}' are not reachable in this region ('${this.region}')`
  }
}

/** No route answers this method and path. */
export class RouteNotFound extends Schema.TaggedError<RouteNotFound>()("RouteNotFound", {
  method: Schema.String,
  path: Schema.String
}) {
  override get message() {
    return "Not Found"
  }
}

/** A parameter of a request breaks a rule; the message is told to the caller as it is. */
export class InvalidParameter extends Schema.TaggedError<InvalidParameter>()("InvalidParameter", {
  name: Schema.String,
  message: Schema.String
}) {}

/** Two parameters of a request contradict each other; the message is told to the caller as it is. */
export class ParameterConflict extends Schema.TaggedError<ParameterConflict>()("ParameterConflict", {
  message: Schema.String
}) {}

/** What a caller says of itself in `X-Amz-Client-Context` cannot be read. */
export class InvalidClientContext extends Schema.TaggedError<InvalidClientContext>()("InvalidClientContext", {}) {
  override get message() {
    return "Client context must be a valid Base64-encoded JSON object."
  }
}

/** The payload is not JSON. */
export class InvalidPayload extends Schema.TaggedError<InvalidPayload>()("InvalidPayload", {
  detail: Schema.String
}) {
  override get message() {
    return `Could not parse request body into json: ${this.detail}`
  }
}

/** The payload is larger than the limit of its kind of call. */
export class PayloadTooLarge extends Schema.TaggedError<PayloadTooLarge>()("PayloadTooLarge", {
  limitBytes: Schema.Int
}) {
  override get message() {
    return `Request must be smaller than ${this.limitBytes} bytes for the InvokeFunction operation`
  }
}

/** No worker became free in time, or the queue for one is full. */
export class PoolExhausted extends Schema.TaggedError<PoolExhausted>()("PoolExhausted", {
  functionName: Schema.String,
  maxCapacity: Schema.Int,
  waiting: Schema.Int,
  retryAfterSeconds: Schema.Int
}) {
  override get message() {
    return "Rate Exceeded."
  }
}

/** The platform failed this function too often of late; calls are refused until `retryAfterSeconds` have passed. */
export class BreakerOpen extends Schema.TaggedError<BreakerOpen>()("BreakerOpen", {
  functionName: Schema.String,
  failures: Schema.Int,
  retryAfterSeconds: Schema.Int
}) {
  override get message() {
    return `Circuit is open (failures: ${this.failures})`
  }
}

/** The store of accepted events holds as many as it may. */
export class QueueFull extends Schema.TaggedError<QueueFull>()("QueueFull", {
  limit: Schema.Int
}) {
  override get message() {
    return `The queue of accepted events is full (${this.limit})`
  }
}

/** State could not be written or read: disk full, store closed, file damaged. Nothing was accepted. */
export class StorageUnavailable extends Schema.TaggedError<StorageUnavailable>()("StorageUnavailable", {
  detail: Schema.String,
  cause: Schema.optionalKey(Cause)
}) {
  override get message() {
    return `State could not be stored: ${this.detail}`
  }
}

/** The engine that starts workers refused or could not be reached. */
export class RuntimeUnavailable extends Schema.TaggedError<RuntimeUnavailable>()("RuntimeUnavailable", {
  functionName: Schema.optionalKey(Schema.String),
  detail: Schema.String,
  /** The engine itself gave no answer, which says nothing of the function, and is over when the engine is back. */
  isAway: Schema.optionalKey(Schema.Boolean),
  cause: Schema.optionalKey(Cause)
}) {
  override get message() {
    return this.functionName === undefined
      ? this.detail
      : `Failed to start container ${this.functionName}: ${this.detail}`
  }
}

/** The engine is well, but it cannot run this kind of function: no interpreter, or a runtime nobody knows. */
export class RuntimeUnsupported extends Schema.TaggedError<RuntimeUnsupported>()("RuntimeUnsupported", {
  runtime: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Runtime ${this.runtime} cannot run here: ${this.detail}`
  }
}

/** The code of a function is not where its digest, or the reference of its image, says. */
export class ArtifactNotFound extends Schema.TaggedError<ArtifactNotFound>()("ArtifactNotFound", {
  image: Schema.String,
  /** In whose words, where somebody else was asked for it. */
  detail: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return `Artifact not found: ${this.image}${this.detail === undefined ? "" : `: ${this.detail}`}`
  }
}

/** The registry has no such image, or none for the platform that was asked for. */
export class ImageNotFound extends Schema.TaggedError<ImageNotFound>()("ImageNotFound", {
  /** As `host/repository:tag@digest`. */
  reference: Schema.String,
  /** `linux/arm64`, when the image is there for other platforms only. */
  platform: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return this.platform === undefined
      ? `Image not found: ${this.reference}`
      : `Image not found for ${this.platform}: ${this.reference}`
  }
}

/** The registry wants credentials that it was not given, or refuses those that it got. */
export class RegistryUnauthorized extends Schema.TaggedError<RegistryUnauthorized>()("RegistryUnauthorized", {
  /** Host and port, as references name it. */
  registry: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Registry ${this.registry} refuses access: ${this.detail}`
  }
}

/** The registry could not be reached, did not answer in time, or answered what no registry may. */
export class RegistryUnavailable extends Schema.TaggedError<RegistryUnavailable>()("RegistryUnavailable", {
  registry: Schema.String,
  detail: Schema.String,
  cause: Schema.optionalKey(Cause)
}) {
  override get message() {
    return `Registry ${this.registry} is unavailable: ${this.detail}`
  }
}

/** What a registry holds under a digest has another one. */
export class DigestMismatch extends Schema.TaggedError<DigestMismatch>()("DigestMismatch", {
  reference: Schema.String,
  expected: Schema.String,
  /** Another digest, or the size that is not the one announced. */
  actual: Schema.String
}) {
  override get message() {
    return `Content of ${this.reference} is not ${this.expected} but ${this.actual}`
  }
}

/** No container has this id. */
export class ContainerNotFound extends Schema.TaggedError<ContainerNotFound>()("ContainerNotFound", {
  containerId: Schema.String
}) {
  override get message() {
    return "container_id not found"
  }
}

/** The container belongs to somebody else. */
export class NotOwner extends Schema.TaggedError<NotOwner>()("NotOwner", {
  containerId: Schema.String
}) {
  override get message() {
    return "owner_id does not match container"
  }
}

/** The worker was gone before one byte of the event reached it: safe to try another. */
export class WorkerUnreachable extends Schema.TaggedError<WorkerUnreachable>()("WorkerUnreachable", {
  containerId: Schema.String,
  detail: Schema.String,
  /**
   * It was lent frozen and could not be thawed for its call, which says nothing of its function. `useless`: it is of no more use.
   * `away`: its engine gave no answer, and it is as it was.
   */
  notThawed: Schema.optionalKey(Schema.Literals(["useless", "away"]))
}) {
  override get message() {
    return `Worker ${this.containerId} is unreachable: ${this.detail}`
  }
}

/** How a call ended that cost its worker: what the caller is told, and the log that was wanted. */
const Ending = {
  functionName: Schema.String,
  containerId: Schema.String,
  requestId: Schema.String,
  errorType: Schema.String,
  payload: Schema.Uint8Array,
  logTail: Schema.Uint8Array
}

/** The function could not be loaded, or was not ready in time. `payload` is what its runtime client reported. */
export class InitFailed extends Schema.TaggedError<InitFailed>()("InitFailed", Ending) {
  override get message() {
    return `${this.functionName} failed to initialise: ${this.errorType}`
  }
  /** As the caller with this request id reads it: where the platform speaks of a request, it means his. */
  toldTo(requestId: string): InitFailed {
    if (this.requestId === "") return this
    const payload = new TextEncoder().encode(
      new TextDecoder().decode(this.payload).replaceAll(this.requestId, requestId)
    )
    const { containerId, errorType, functionName, logTail } = this
    return new InitFailed({ containerId, errorType, functionName, logTail, payload, requestId })
  }
}

/** The call ran longer than the function's `Timeout`. */
export class InvocationTimedOut extends Schema.TaggedError<InvocationTimedOut>()("InvocationTimedOut", Ending) {
  override get message() {
    return `${this.functionName} timed out`
  }
}

/** The worker ended while it held the event: the function exited, was killed, or ran out of memory. */
export class WorkerExited extends Schema.TaggedError<WorkerExited>()("WorkerExited", Ending) {
  override get message() {
    return `${this.functionName} exited during a call: ${this.errorType}`
  }
}

/** A route that wants a token got none, or one that is not good. */
export class Unauthorized extends Schema.TaggedError<Unauthorized>()("Unauthorized", {
  detail: Schema.String
}) {
  override get message() {
    return "Unauthorized"
  }
}

/** The Invoke API got neither a signature nor a token. */
export class MissingAuthentication extends Schema.TaggedError<MissingAuthentication>()("MissingAuthentication", {}) {
  override get message() {
    return "Missing Authentication Token"
  }
}

/** The access key, or the token, is not one that was issued here. */
export class UnknownCredential extends Schema.TaggedError<UnknownCredential>()("UnknownCredential", {}) {
  override get message() {
    return "The security token included in the request is invalid."
  }
}

/** The signature does not fit the request, or its time has passed; the message is AWS's. */
export class SignatureRefused extends Schema.TaggedError<SignatureRefused>()("SignatureRefused", {
  message: Schema.String
}) {}

/** The `Authorization` header cannot be read as Signature Version 4. */
export class SignatureIncomplete extends Schema.TaggedError<SignatureIncomplete>()("SignatureIncomplete", {
  message: Schema.String
}) {}

/** The request named a host this Gateway does not answer for. */
export class HostRefused extends Schema.TaggedError<HostRefused>()("HostRefused", {
  host: Schema.String
}) {
  override get message() {
    return `Host ${this.host} is not allowed here; add it to ALLOWED_HOSTS`
  }
}

/** The worker has no address at which a call could reach it. */
export class WorkerAddressUnknown extends Schema.TaggedError<WorkerAddressUnknown>()("WorkerAddressUnknown", {
  containerId: Schema.String
}) {
  override get message() {
    return "container ip_address is empty"
  }
}

/** The caller's own limit for a call has passed; the function may still run. */
export class CallTimedOut extends Schema.TaggedError<CallTimedOut>()("CallTimedOut", {
  limitMs: Schema.Int
}) {
  override get message() {
    return `invoke timeout: no answer within ${this.limitMs} ms`
  }
}

/** An answer that this way of calling cannot carry. */
export class AnswerTooLarge extends Schema.TaggedError<AnswerTooLarge>()("AnswerTooLarge", {
  limitBytes: Schema.Int
}) {
  override get message() {
    return `response body too large (limit ${this.limitBytes} bytes)`
  }
}

export const Failure = Schema.Union([
  FunctionNotFound,
  FunctionElsewhere,
  RouteNotFound,
  InvalidParameter,
  ParameterConflict,
  InvalidClientContext,
  InvalidPayload,
  PayloadTooLarge,
  PoolExhausted,
  BreakerOpen,
  QueueFull,
  StorageUnavailable,
  RuntimeUnavailable,
  RuntimeUnsupported,
  ArtifactNotFound,
  ImageNotFound,
  RegistryUnauthorized,
  RegistryUnavailable,
  DigestMismatch,
  ContainerNotFound,
  NotOwner,
  WorkerUnreachable,
  InitFailed,
  InvocationTimedOut,
  WorkerExited,
  Unauthorized,
  MissingAuthentication,
  UnknownCredential,
  SignatureRefused,
  SignatureIncomplete,
  HostRefused,
  WorkerAddressUnknown,
  CallTimedOut,
  AnswerTooLarge
])
export type Failure = typeof Failure.Type

/** The exceptions of the Invoke API that we answer with, and their status in the API's model. */
export const exceptionStatus = {
  EC2UnexpectedException: 502,
  IncompleteSignatureException: 400,
  InvalidParameterValueException: 400,
  InvalidRequestContentException: 400,
  InvalidRuntimeException: 502,
  InvalidSignatureException: 403,
  InvalidZipFileException: 502,
  MissingAuthenticationTokenException: 403,
  AccessDeniedException: 403,
  RequestTooLargeException: 413,
  ResourceNotFoundException: 404,
  ServiceException: 500,
  TooManyRequestsException: 429,
  UnrecognizedClientException: 403,
  ValidationException: 400
} as const
export type ExceptionName = keyof typeof exceptionStatus

/** How one failure is told: status of a routed call, gRPC code, exception of the Invoke API. */
export interface Telling {
  readonly http: number
  readonly grpc: string
  /** `"function"`: not an exception but a 200 with `X-Amz-Function-Error`. */
  readonly aws: ExceptionName | "function"
}

export const wire = {
  FunctionNotFound: { http: 404, grpc: "NOT_FOUND", aws: "ResourceNotFoundException" },
  FunctionElsewhere: { http: 404, grpc: "NOT_FOUND", aws: "ResourceNotFoundException" },
  RouteNotFound: { http: 404, grpc: "NOT_FOUND", aws: "ResourceNotFoundException" },
  InvalidParameter: { http: 400, grpc: "INVALID_ARGUMENT", aws: "ValidationException" },
  ParameterConflict: { http: 400, grpc: "INVALID_ARGUMENT", aws: "InvalidParameterValueException" },
  InvalidClientContext: { http: 400, grpc: "INVALID_ARGUMENT", aws: "InvalidRequestContentException" },
  InvalidPayload: { http: 400, grpc: "INVALID_ARGUMENT", aws: "InvalidRequestContentException" },
  PayloadTooLarge: { http: 413, grpc: "RESOURCE_EXHAUSTED", aws: "RequestTooLargeException" },
  PoolExhausted: { http: 429, grpc: "RESOURCE_EXHAUSTED", aws: "TooManyRequestsException" },
  BreakerOpen: { http: 502, grpc: "UNAVAILABLE", aws: "ServiceException" },
  QueueFull: { http: 429, grpc: "RESOURCE_EXHAUSTED", aws: "TooManyRequestsException" },
  StorageUnavailable: { http: 503, grpc: "UNAVAILABLE", aws: "ServiceException" },
  RuntimeUnavailable: { http: 503, grpc: "INTERNAL", aws: "EC2UnexpectedException" },
  RuntimeUnsupported: { http: 502, grpc: "INTERNAL", aws: "InvalidRuntimeException" },
  ArtifactNotFound: { http: 502, grpc: "INTERNAL", aws: "InvalidZipFileException" },
  ImageNotFound: { http: 502, grpc: "INTERNAL", aws: "InvalidZipFileException" },
  RegistryUnauthorized: { http: 502, grpc: "INTERNAL", aws: "EC2UnexpectedException" },
  RegistryUnavailable: { http: 503, grpc: "INTERNAL", aws: "EC2UnexpectedException" },
  DigestMismatch: { http: 502, grpc: "INTERNAL", aws: "InvalidZipFileException" },
  ContainerNotFound: { http: 404, grpc: "NOT_FOUND", aws: "ResourceNotFoundException" },
  NotOwner: { http: 403, grpc: "PERMISSION_DENIED", aws: "AccessDeniedException" },
  WorkerUnreachable: { http: 502, grpc: "UNAVAILABLE", aws: "ServiceException" },
  InitFailed: { http: 502, grpc: "ABORTED", aws: "function" },
  InvocationTimedOut: { http: 504, grpc: "DEADLINE_EXCEEDED", aws: "function" },
  WorkerExited: { http: 502, grpc: "ABORTED", aws: "function" },
  Unauthorized: { http: 401, grpc: "UNAUTHENTICATED", aws: "UnrecognizedClientException" },
  MissingAuthentication: { http: 401, grpc: "UNAUTHENTICATED", aws: "MissingAuthenticationTokenException" },
  UnknownCredential: { http: 401, grpc: "UNAUTHENTICATED", aws: "UnrecognizedClientException" },
  SignatureRefused: { http: 401, grpc: "UNAUTHENTICATED", aws: "InvalidSignatureException" },
  SignatureIncomplete: { http: 401, grpc: "UNAUTHENTICATED", aws: "IncompleteSignatureException" },
  HostRefused: { http: 403, grpc: "PERMISSION_DENIED", aws: "AccessDeniedException" },
  WorkerAddressUnknown: { http: 502, grpc: "FAILED_PRECONDITION", aws: "ServiceException" },
  CallTimedOut: { http: 504, grpc: "DEADLINE_EXCEEDED", aws: "ServiceException" },
  AnswerTooLarge: { http: 502, grpc: "RESOURCE_EXHAUSTED", aws: "ServiceException" }
} as const satisfies Record<Failure["_tag"], Telling>

/** A failure for which the function answers, not the platform: its row tells it as a function error. */
export type FunctionFault = InitFailed | InvocationTimedOut | WorkerExited

export const isFunctionFault = (failure: Failure): failure is FunctionFault => wire[failure._tag].aws === "function"
