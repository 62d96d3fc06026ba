/**
 * How a failure crosses the wire between Gateway and Agent: as a status for everybody, and as itself for whoever knows it.
 * One of the two readers of the table in `domain/Failure`.
 */
import { Metadata, type ServiceError, status, type StatusObject } from "@grpc/grpc-js"
import { Option, Schema } from "effect"
import { Failure, wire } from "#domain/Failure"

/** The trailer that carries the failure itself. */
const trailer = "esb-failure-bin"

/** Header lists have limits (64 KiB in Node): a failure that takes more travels without its payload and its log, or not at all. */
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

/** The same failure, with a short word in the place of what it reports. */
const withoutReport = (failure: Failure): Failure => {
  if (!("payload" in failure)) return failure
  const { errorType } = failure
  const payload = Buffer.from(
    JSON.stringify({ errorType, errorMessage: `${failure.message} (its report is too long to be told)` })
  )
  const made = { ...failure, payload, logTail: new Uint8Array() }
  return Object.assign(Object.create(Object.getPrototypeOf(failure) as object), made) as Failure
}

/** As much of the failure as fits; `undefined` when that is nothing, and the status alone tells of it. */
const fitting = (failure: Failure): Buffer | undefined => {
  for (const told of [failure, withoutReport(failure)]) {
    const text = Buffer.from(encode(told))
    if (text.length <= longestTrailerBytes) return text
  }
  return undefined
}

/** Characters of the text of a status: percent-encoded one may take nine bytes of a header list. */
const longestDetails = 1_024

/** Text that can be percent-encoded: half of a surrogate pair cannot. */
const detailsOf = (text: string): string => text.slice(0, longestDetails).toWellFormed()

/** `doing`, as `failed to ensure container`, stands before the cause of what went wrong inside; refusals speak for themselves. */
export const ofFailure = (failure: Failure, doing: string): Partial<StatusObject> => {
  const code = status[wire[failure._tag].grpc]
  const metadata = new Metadata()
  const itself = fitting(failure)
  if (itself !== undefined) metadata.set(trailer, itself)
  const details = code === status.INTERNAL ? `${doing}: ${failure.message}` : failure.message
  return { code, details: detailsOf(details), metadata }
}

/** The failure itself, when the other side sent it. */
export const failureIn = ({ metadata }: ServiceError): Option.Option<Failure> => {
  const [value] = metadata?.get(trailer) ?? []
  return value instanceof Buffer ? ofText(value.toString("utf8")) : Option.none()
}
