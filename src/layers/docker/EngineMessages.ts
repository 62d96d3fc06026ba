/** What an engine says while it builds, pulls or pushes: one JSON object a line, until it is done or says what failed. */
import { Schema } from "effect"

/** A longer line is no message of an engine. */
const longestLineCharacters = 1_048_576

const Message = Schema.Struct({
  /** Output of a build. */
  stream: Schema.optionalKey(Schema.String),
  /** Progress of a pull or a push; with an `id` it is that of one layer. */
  status: Schema.optionalKey(Schema.String),
  id: Schema.optionalKey(Schema.String),
  error: Schema.optionalKey(Schema.String),
  /** The id of what was built. */
  aux: Schema.optionalKey(Schema.Struct({ ID: Schema.optionalKey(Schema.String) }))
})
type Message = typeof Message.Type

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Message))

const linesOf = async function* (said: NodeJS.ReadableStream) {
  said.setEncoding("utf8")
  let rest = ""
  for await (const text of said) {
    const lines = `${rest}${text}`.split("\n")
    rest = lines.pop() ?? ""
    if (rest.length > longestLineCharacters) throw new Error("it said a line of more than a million characters")
    yield* lines
  }
  yield rest
}

/** Ends when the engine is done, with what it complains of, if it does. Throws when the connection breaks. */
export const follow = async (
  said: NodeJS.ReadableStream,
  take: (message: Message) => void
): Promise<string | undefined> => {
  for await (const line of linesOf(said)) {
    if (line.trim() === "") continue
    const message = decode(line)
    if (message.error !== undefined) return message.error.trim()
    take(message)
  }
  return undefined
}
