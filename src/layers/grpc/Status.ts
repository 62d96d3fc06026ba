/**
 * How a failure crosses the wire between Gateway and Agent: as a status for everybody, and as itself for whoever knows it.
 * One of the two readers of the table in `domain/Failure`.
 */
import { Metadata, type ServiceError, status, type StatusObject } from "@grpc/grpc-js"
import { Option, Schema } from "effect"
import { Failure, wire } from "#domain/Failure"

/** The trailer that carries the failure itself. */
const trailer = "esb-failure-bin"

/** Header lists have limits (64 KiB in Node): a failure that takes more travels without its payload and its log. */
const longestTrailerBytes = 32_768

const Text = Schema.fromJsonString(Schema.toCodecJson(Failure))
const encode = Schema.encodeSync(Text)
const decode = Schema.decodeOption(Text)

/** The failure as JSON text, for bodies, which have no limit. */
export const toText = (failure: Failure): string => encode(failure)

/** `None` for what is no failure of ours: an Agent of another version may know others. */
export const ofText = (text: string): Option.Option<Failure> => decode(text)

/** HTTP status of a failure on the data door. */
export const httpStatus = (failure: Failure): number => wire[failure._tag].http

const fitting = (failure: Failure): Buffer => {
  const whole = Buffer.from(encode(failure))
  if (whole.length <= longestTrailerBytes || !("payload" in failure)) return whole
  const { errorType } = failure
  const payload = Buffer.from(
    JSON.stringify({ errorType, errorMessage: `${failure.message} (its report is too long to be told)` })
  )
  const made = { ...failure, payload, logTail: new Uint8Array() }
  return Buffer.from(encode(Object.assign(Object.create(Object.getPrototypeOf(failure) as object), made) as Failure))
}

/** `doing`, as `failed to ensure container`, stands before the cause of what went wrong inside; refusals speak for themselves. */
export const ofFailure = (failure: Failure, doing: string): Partial<StatusObject> => {
  const code = status[wire[failure._tag].grpc]
  const metadata = new Metadata()
  metadata.set(trailer, fitting(failure))
  return { code, details: code === status.INTERNAL ? `${doing}: ${failure.message}` : failure.message, metadata }
}

/** The failure itself, when the other side sent it. */
export const failureIn = ({ metadata }: ServiceError): Option.Option<Failure> => {
  const [value] = metadata?.get(trailer) ?? []
  return value instanceof Buffer ? ofText(value.toString("utf8")) : Option.none()
}
