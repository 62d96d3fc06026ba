/** `esb invoke`: one call of a function of the running stack. */
import { Effect, Option, Schema } from "effect"
import { readFile } from "node:fs/promises"
import { text } from "node:stream/consumers"
import * as GatewayClient from "./GatewayClient.ts"
import { CommandFailed, WrongUsage } from "./Refusal.ts"
import { onStderr, voice } from "./Voice.ts"

export interface InvokeFlags {
  readonly functionName: string
  readonly event: Option.Option<string>
  readonly isAsync: boolean
  readonly tail: boolean
  readonly clientContext: Option.Option<string>
}

/** The function ran, and failed. */
export class FunctionFailed extends Schema.TaggedError<FunctionFailed>()("FunctionFailed", {
  message: Schema.String
}) {}

const parse = (what: string, written: string) =>
  Effect.try({
    try: () => {
      JSON.parse(written)
      return written
    },
    catch: (cause) =>
      new WrongUsage({ message: `${what} is not JSON: ${cause instanceof Error ? cause.message : cause}` })
  })

/** JSON written out, `-` for stdin, else the path of a file; nothing means `{}`. */
const eventOf = Effect.fnUntraced(function* (given: Option.Option<string>) {
  if (Option.isNone(given)) return "{}"
  const { value } = given
  if (value === "-") return yield* parse("What came on stdin", yield* Effect.promise(() => text(process.stdin)))
  if (/^\s*[[{"\d-]|^\s*(true|false|null)\s*$/.test(value)) {
    const inline = yield* Effect.option(parse("--event", value))
    if (Option.isSome(inline)) return inline.value
    if (/^\s*[[{"]/.test(value)) return yield* parse("--event", value)
  }
  const content = yield* Effect.tryPromise({
    try: () => readFile(value, "utf8"),
    catch: (cause) =>
      new WrongUsage({ message: `--event ${value}: ${cause instanceof Error ? cause.message : String(cause)}` })
  })
  return yield* parse(value, content)
})

const ErrorObject = Schema.fromJsonString(
  Schema.Struct({
    errorType: Schema.optionalKey(Schema.String),
    errorMessage: Schema.optionalKey(Schema.String),
    stackTrace: Schema.optionalKey(Schema.Array(Schema.String)),
    trace: Schema.optionalKey(Schema.Array(Schema.String))
  })
)

/** A function's error object for people: what was thrown, then where. */
const toldError = (payload: string): string => {
  const error = Schema.decodeOption(ErrorObject)(payload)
  if (Option.isNone(error)) return payload
  const { errorMessage, errorType, stackTrace, trace } = error.value
  const first = `${errorType ?? "Error"}: ${errorMessage ?? ""}`
  // Node's trace begins with the message again; Python's frames end in newlines.
  const frames = (trace?.slice(1) ?? stackTrace ?? []).map((frame) => `    ${frame.trim()}`)
  return [onStderr("red", first), ...frames].join("\n")
}

/** The value of a payload; its text when it is not JSON, as that of a streaming function may be. */
const valueOf = (payload: string): unknown =>
  Option.getOrElse(Schema.decodeOption(Schema.fromJsonString(Schema.Unknown))(payload), () => payload)

const questionOf = Effect.fnUntraced(function* (flags: InvokeFlags) {
  const event = yield* eventOf(flags.event)
  const context = Option.isNone(flags.clientContext)
    ? undefined
    : yield* parse("--client-context", flags.clientContext.value)
  const question: GatewayClient.Question = {
    method: "POST",
    path: `/2015-03-31/functions/${encodeURIComponent(flags.functionName)}/invocations`,
    headers: {
      "content-type": "application/json",
      "x-amz-invocation-type": flags.isAsync ? "Event" : "RequestResponse",
      "x-amz-log-type": flags.tail ? "Tail" : "None",
      ...(context === undefined ? {} : { "x-amz-client-context": Buffer.from(context).toString("base64") })
    },
    body: Buffer.from(event)
  }
  return question
})

export const invoke = Effect.fnUntraced(function* (flags: InvokeFlags) {
  const { json, note } = yield* voice
  if (flags.isAsync && flags.tail) return yield* new WrongUsage({ message: "--tail has nothing to show with --async" })
  const question = yield* questionOf(flags)
  const gateway = yield* GatewayClient.connect
  const answer = yield* gateway.exchange(question)
  if (answer.status >= 300) return yield* new CommandFailed({ message: GatewayClient.complaintOf(answer) })

  const payload = answer.body.toString("utf8")
  const functionError = answer.headers["x-amz-function-error"]
  const log = Buffer.from(String(answer.headers["x-amz-log-result"] ?? ""), "base64").toString("utf8")
  const requestId = String(answer.headers["x-amzn-requestid"] ?? "")
  if (json) {
    const value = {
      status: answer.status,
      requestId,
      functionError,
      payload: valueOf(payload),
      ...(flags.tail ? { log } : {})
    }
    process.stdout.write(`${JSON.stringify(value)}\n`)
  } else {
    if (log !== "") process.stderr.write(log.endsWith("\n") ? log : `${log}\n`)
    if (flags.isAsync) note(`Accepted. Follow it with: esb logs --request ${requestId}`)
    else if (functionError === undefined) process.stdout.write(`${payload}\n`)
  }
  if (functionError !== undefined) return yield* new FunctionFailed({ message: toldError(payload) })
})
