/** What may become of a call to containerd. Its words change between versions; its codes do not. */
import { type ServiceError, status } from "@grpc/grpc-js"
import { Schema } from "effect"

/** It refused, or did not answer. */
export class ContainerdFailure extends Schema.TaggedError<ContainerdFailure>()("ContainerdFailure", {
  /** `unreached`: it has not heard the request. `lost`: nobody knows whether it has. */
  kind: Schema.Literals(["refused", "unreached", "lost"]),
  /** Of gRPC. */
  code: Schema.Finite,
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Unknown)
}) {}

/** What grpc-js says of a request for which it had no connection. */
const neverSent = "No connection established"

/** Codes that grpc-js gives to calls without an answer. */
const silent: ReadonlySet<number> = new Set([status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED])

/** An answer has a content type; what grpc-js says for itself has none. */
const isAnswer = ({ metadata }: Partial<ServiceError>): boolean => (metadata?.get("content-type").length ?? 0) > 0

const kindOf = (error: Partial<ServiceError>, code: number): ContainerdFailure["kind"] => {
  if (error.details?.startsWith(neverSent) === true) return "unreached"
  return silent.has(code) && !isAnswer(error) ? "lost" : "refused"
}

/** What grpc-js throws, if anything: a conversation can also just end. */
export const failureOf = (method: string, error: Partial<ServiceError> | null): ContainerdFailure => {
  const { code = status.UNAVAILABLE, details = "it ended without an answer" } = error ?? {}
  const kind = kindOf(error ?? {}, code)
  const said = kind === "refused" ? details : `containerd does not answer: ${details}`
  const message = `${said} (${method.slice(method.lastIndexOf(".") + 1)}: ${status[code] ?? code})`
  return new ContainerdFailure({ kind, code, message, ...(error === null ? {} : { cause: error }) })
}

/**
 * Of a call that took too long. containerd knows the limit as well, and may be the first to notice, with a code of its own: what
 * was begun may still come to its end either way.
 */
export const lateFailure = (method: string, limitMs: number): ContainerdFailure =>
  failureOf(method, { code: status.DEADLINE_EXCEEDED, details: `no answer within ${limitMs} ms` })

export const hasCode =
  (code: status) =>
  (failure: ContainerdFailure): boolean =>
    failure.kind === "refused" && failure.code === code
