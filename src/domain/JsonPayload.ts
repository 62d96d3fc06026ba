/**
 * Whether a payload is JSON, and what AWS says when it is not. Lambda reads payloads with Jackson, whose words these are.
 */
import { Result } from "effect"
import { InvalidPayload } from "./Failure.ts"

const decoder = new TextDecoder("utf-8", { fatal: true })
const lenient = new TextDecoder("utf-8")
const location = (line: number, column: number) =>
  `\n at [Source: REDACTED (\`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION\` disabled); line: ${line}, column: ${column}]`
const expected = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
const emptyEvent = new TextEncoder().encode("{}")

/** The payload to hand over: an empty one is the empty object. */
export const check = (payload: Uint8Array): Result.Result<Uint8Array, InvalidPayload> => {
  if (payload.length === 0) {
    return Result.succeed(emptyEvent)
  }
  try {
    JSON.parse(decoder.decode(payload))
    return Result.succeed(payload)
  } catch {
    return Result.fail(new InvalidPayload({ detail: `Could not parse payload into json: ${complaint(payload)}` }))
  }
}

/** The first byte that cannot begin a JSON value, the first that is not UTF-8, or the first word that is no token. */
const complaint = (payload: Uint8Array): string => {
  const first = payload[0] ?? 0
  if (!/[\s"{[\-0-9a-zA-Z]/.test(String.fromCharCode(first))) {
    const shown =
      first >= 0x20 && first < 0x7f ? `'${String.fromCharCode(first)}' (code ${first})` : `(CTRL-CHAR, code ${first})`
    return `Unexpected character (${shown}): expected a valid value ${expected}${location(1, 1)}`
  }
  const stray = strayByte(payload)
  if (stray !== undefined) {
    const [line, column] = place(payload, stray)
    return `Invalid UTF-8 start byte 0x${(payload[stray] ?? 0).toString(16)}${location(line, column + 2)}`
  }
  const text = lenient.decode(payload)
  const word = /^\s*([a-zA-Z_$][\w$]*)/.exec(text)?.[1]
  return word !== undefined && word !== "true" && word !== "false" && word !== "null"
    ? `Unrecognized token '${word}': was expecting ${expected}${location(1, text.indexOf(word) + word.length + 1)}`
    : `Unexpected end-of-input or character in the payload${location(1, text.length + 1)}`
}

/** Index of the first byte that cannot start a character of UTF-8 where one must start. */
const strayByte = (bytes: Uint8Array): number | undefined => {
  let index = 0
  while (index < bytes.length) {
    const byte = bytes[index] ?? 0
    const length =
      byte < 0x80
        ? 1
        : byte >= 0xc2 && byte < 0xe0
          ? 2
          : byte >= 0xe0 && byte < 0xf0
            ? 3
            : byte >= 0xf0 && byte < 0xf5
              ? 4
              : 0
    if (length === 0) {
      return index
    }
    index += length
  }
  return undefined
}

/** Zero-based line turned to one-based, zero-based column. */
const place = (bytes: Uint8Array, index: number): readonly [line: number, column: number] => {
  const before = bytes.subarray(0, index)
  const newlines = before.filter((byte) => byte === 0x0a).length
  return [newlines + 1, index - (before.lastIndexOf(0x0a) + 1)]
}
