/**
 * Messages of the Domain Name System as they are on the wire: what a client asks, what it is answered, and what of an answer fits.
 * What others answer is handed on byte for byte.
 * @see https://www.rfc-editor.org/rfc/rfc1035, and https://www.rfc-editor.org/rfc/rfc6891 for its extensions
 */
import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  CHECKING_DISABLED,
  decode,
  DNSSEC_OK,
  encode,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE
} from "dns-packet"
import { type Found, plain } from "#domain/OwnNames"

const headerBytes = 12
const isAnswerBit = 0x8000
const codeOfOperation = 0x7800
const codeOfResult = 0x000f

/** What a query may carry beside its question: extensions, and a signature. */
const mostAdditional = 2

/** What a datagram may hold where the client says nothing, at least whatever it says, and at most: a packet of any network. */
const ordinaryBytes = 512
const mostDatagramBytes = 1_232

/** Results of queries, by their numbers. The last is none that fits into a header. */
const code = {
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16
} as const
type Code = (typeof code)[keyof typeof code] | 0

export interface Query {
  /** As it came. */
  readonly bytes: Buffer
  /** As it came, to be repeated in the answer. */
  readonly question: Buffer
  /** As names are compared. */
  readonly name: string
  readonly type: string
  readonly isInternet: boolean
  /** How much of an answer the client takes in a datagram. */
  readonly datagramBytes: number
  /** It knows the extensions, in this version, and wants these of them. */
  readonly extended: { readonly version: number; readonly flags: number } | undefined
}

export type Read =
  | { readonly _tag: "Query"; readonly query: Query }
  /** Understood, and not offered. */
  | { readonly _tag: "Declined"; readonly answer: Buffer }
  /** Nobody can tell what it is. */
  | { readonly _tag: "Malformed" }

const malformed: Read = { _tag: "Malformed" }

/** Transfers of whole zones, which have more than one answer. */
const isTransfer = (type: string): boolean => type === "AXFR" || type === "IXFR"

const flagsOf = (bytes: Buffer): number => bytes.readUInt16BE(2)

/** Where the only question ends; none, where it does not. */
const questionEnd = (bytes: Buffer): number | undefined => {
  let at = headerBytes
  for (let length = bytes[at]; length !== 0; length = bytes[at]) {
    // A longer one is a reference to another name, and there is none before the first.
    if (length === undefined || length > 63) return undefined
    at += length + 1
  }
  const end = at + 5
  return end <= bytes.length ? end : undefined
}

/** The number by which a client knows its answer. */
export const withId = (bytes: Buffer, id: number): Buffer => {
  const copy = Buffer.from(bytes)
  copy.writeUInt16BE(id, 0)
  return copy
}

export const idOf = (bytes: Buffer): number => bytes.readUInt16BE(0)

const extensionsOf = (flags: number, result: Code): Answer => ({
  type: "OPT",
  name: ".",
  udpPayloadSize: mostDatagramBytes,
  extendedRcode: result >> 4,
  ednsVersion: 0,
  flags,
  flag_do: false,
  options: []
})

interface Reply {
  readonly result?: Code
  readonly flags?: number
  readonly answers?: ReadonlyArray<Answer>
  readonly authorities?: ReadonlyArray<Answer>
}

/** The question stays as it was written: names may hold bytes that are no text. */
const reply = (
  { bytes, extended, question }: Query,
  { answers = [], authorities = [], flags = 0, result = 0 }: Reply
) => {
  const rest = encode({
    type: "response",
    id: idOf(bytes),
    flags:
      (flagsOf(bytes) & (RECURSION_DESIRED | CHECKING_DISABLED)) |
      RECURSION_AVAILABLE |
      flags |
      (result & codeOfResult),
    answers: [...answers],
    authorities: [...authorities],
    additionals: extended === undefined ? [] : [extensionsOf(extended.flags, result)]
  })
  rest.writeUInt16BE(1, 4)
  return Buffer.concat([rest.subarray(0, headerBytes), question, rest.subarray(headerBytes)])
}

export const failed = (query: Query): Buffer => reply(query, { result: code.serverFailure })

/** Where the question is not understood it cannot be repeated. */
const declined = (bytes: Buffer, result: Code): Read => {
  const answer = Buffer.alloc(headerBytes)
  answer.writeUInt16BE(idOf(bytes), 0)
  answer.writeUInt16BE(isAnswerBit | (flagsOf(bytes) & (codeOfOperation | RECURSION_DESIRED)) | result, 2)
  return { _tag: "Declined", answer }
}

const decoded = (bytes: Buffer): Query | undefined => {
  const end = questionEnd(bytes)
  if (end === undefined) return undefined
  const { additionals = [], questions: [asked] = [] } = decode(bytes)
  if (asked === undefined) return undefined
  const extensions = additionals.find((each) => each.type === "OPT")
  return {
    bytes,
    question: bytes.subarray(headerBytes, end),
    name: plain(asked.name),
    type: asked.type,
    isInternet: asked.class === "IN",
    datagramBytes: Math.min(Math.max(extensions?.udpPayloadSize ?? ordinaryBytes, ordinaryBytes), mostDatagramBytes),
    extended:
      extensions === undefined ? undefined : { version: extensions.ednsVersion, flags: extensions.flags & DNSSEC_OK }
  }
}

/** Nothing is unpacked before the header says that it is one question. */
export const read = (bytes: Buffer): Read => {
  if (bytes.length < headerBytes || (flagsOf(bytes) & isAnswerBit) !== 0) return malformed
  if ((flagsOf(bytes) & codeOfOperation) !== 0) return declined(bytes, code.notImplemented)
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at))
  const isOne = questions === 1 && answers === 0 && authorities === 0 && (additionals ?? 0) <= mostAdditional
  if (!isOne) return declined(bytes, code.formatError)
  try {
    const query = decoded(bytes)
    if (query === undefined) return malformed
    if (query.extended !== undefined && query.extended.version !== 0) {
      return { _tag: "Declined", answer: reply(query, { result: code.badVersion }) }
    }
    if (isTransfer(query.type)) return { _tag: "Declined", answer: reply(query, { result: code.refused }) }
    return { _tag: "Query", query }
  } catch {
    // Whatever it stumbles over is a message that its sender wrote wrongly.
    return malformed
  }
}

/** For whom remembers what does not exist. */
const startOfAuthority = (zone: string, seconds: number): Answer => ({
  type: "SOA",
  name: zone,
  ttl: seconds,
  data: {
    mname: zone,
    rname: `hostmaster.${zone}`,
    serial: 1,
    refresh: 3_600,
    retry: 600,
    expire: 86_400,
    minimum: seconds
  }
})

/** What is known here; none, where others have to be asked. */
export const ownAnswer = (query: Query, found: Found, seconds: number): Buffer | undefined => {
  if (found._tag === "Elsewhere" || !query.isInternet) return undefined
  const addresses = found._tag === "Present" && (query.type === "A" || query.type === "ANY") ? found.addresses : []
  return reply(query, {
    result: found._tag === "Absent" ? code.nameError : 0,
    flags: AUTHORITATIVE_ANSWER,
    answers: addresses.map((data) => ({ type: "A", name: query.name, ttl: seconds, data })),
    authorities: addresses.length === 0 ? [startOfAuthority(found.zone, seconds)] : []
  })
}

/** Of an answer that is too long for a datagram nothing is left but the news that it is: the client asks again by a connection. */
export const fitted = (query: Query, answer: Buffer): Buffer =>
  answer.length <= query.datagramBytes
    ? answer
    : reply(query, { flags: TRUNCATED_RESPONSE | (flagsOf(answer) & AUTHORITATIVE_ANSWER) })

export const isTruncated = (answer: Buffer): boolean => (flagsOf(answer) & TRUNCATED_RESPONSE) !== 0

/** Its server does not want to, or cannot; another one might. */
export const isUnwilling = (answer: Buffer): boolean => {
  const result = flagsOf(answer) & codeOfResult
  return result === code.serverFailure || result === code.notImplemented || result === code.refused
}

const comparable = (question: Buffer): string => question.toString("latin1").toLowerCase()

/** Whether this is what the sender of `sent` waits for. */
export const isAnswerTo = (sent: Buffer, { length }: { readonly length: number }, bytes: Buffer): boolean =>
  bytes.length >= headerBytes &&
  idOf(bytes) === idOf(sent) &&
  (flagsOf(bytes) & isAnswerBit) !== 0 &&
  (bytes.readUInt16BE(4) === 0 ||
    comparable(bytes.subarray(headerBytes, headerBytes + length)) ===
      comparable(sent.subarray(headerBytes, headerBytes + length)))
