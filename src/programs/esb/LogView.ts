/** Reads the log of a running stack, and goes on reading. */
import { Clock, Duration, Effect, Option, Schema } from "effect"
import * as Suggestion from "#domain/Suggestion"
import * as GatewayClient from "./GatewayClient.ts"
import { CommandFailed, WrongUsage } from "./Refusal.ts"
import * as RunFile from "./RunFile.ts"
import { onStdout, voice } from "./Voice.ts"

/** Lines of one page, of the part of the log that was asked for. */
const page = 1000
/** The newest lines of the whole log, when no number is given. */
const firstPage = 200
/** As many as a Gateway answers with. */
const mostLines = 10_000
/** How often `-f` asks. */
const askEvery = Duration.millis(200)

const StoredLogRecord = Schema.Struct({
  position: Schema.Int,
  atUnixMs: Schema.Finite,
  source: Schema.Literals(["function", "platform", "system"]),
  level: Schema.Literals(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]),
  message: Schema.String,
  functionName: Schema.optionalKey(Schema.String),
  containerName: Schema.optionalKey(Schema.String),
  requestId: Schema.optionalKey(Schema.String),
  traceId: Schema.optionalKey(Schema.String)
})
type StoredLogRecord = typeof StoredLogRecord.Type

export interface LogFlags {
  readonly follow: boolean
  readonly functionName: Option.Option<string>
  readonly requestId: Option.Option<string>
  readonly since: Option.Option<string>
  readonly limit: Option.Option<number>
}

/** `15m`, `2 hours`, `30`, or a time such as `2026-10-07T12:00:00Z`, as milliseconds since 1970. */
const momentOf = (text: string, nowMs: number): Option.Option<number> => {
  const short = /^(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)?$/.exec(text.trim())
  const unit = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 }
  if (short !== null) {
    return Option.some(nowMs - Number(short[1]) * unit[(short[2] ?? "s") as keyof typeof unit])
  }
  const time = Date.parse(text)
  return Number.isNaN(time) ? Option.none() : Option.some(time)
}

const colourOf = { DEBUG: "dim", INFO: "reset", WARNING: "yellow", ERROR: "red", CRITICAL: "red" } as const

const told = (record: StoredLogRecord): string => {
  const time = new Date(record.atUnixMs).toISOString().slice(11, 23)
  const who = record.functionName ?? "gateway"
  const style = record.source === "function" ? colourOf[record.level] : "dim"
  return `${onStdout("dim", time)} ${onStdout("cyan", who)} ${onStdout(style, record.message)}`
}

const print = (records: ReadonlyArray<StoredLogRecord>, isJson: boolean) => {
  for (const record of records) process.stdout.write(`${isJson ? JSON.stringify(record) : told(record)}\n`)
}

/** What functions wrote, and what the platform says of their calls. */
export const isOfFunction = ({ source }: StoredLogRecord): boolean => source !== "system"

export interface Following {
  readonly gateway: GatewayClient.GatewayClient
  readonly query: URLSearchParams
  /** Lines after this position. */
  readonly from: number
  readonly isJson: boolean
  readonly isShown: (record: StoredLogRecord) => boolean
}

/** Prints lines as they come, over restarts of the Gateway, until the stack has stopped. */
export const follow = Effect.fnUntraced(function* ({ from, gateway, isJson, isShown, query }: Following) {
  let position = from
  for (;;) {
    yield* Effect.sleep(askEvery)
    const next = new URLSearchParams([...query, ["after", String(position)], ["limit", String(page)]])
    const found = yield* Effect.option(gateway.lines(`/_esb/logs?${next}`, StoredLogRecord))
    if (Option.isNone(found) && (yield* RunFile.read(gateway.home)) === undefined) return
    // Otherwise the Gateway is being started again.
    const records = Option.getOrElse(found, () => [])
    print(records.filter(isShown), isJson)
    position = records.at(-1)?.position ?? position
  }
})

const queryOf = Effect.fnUntraced(function* (flags: LogFlags) {
  const query = new URLSearchParams()
  if (Option.isSome(flags.functionName)) query.set("function", flags.functionName.value)
  if (Option.isSome(flags.requestId)) query.set("request", flags.requestId.value)
  if (Option.isNone(flags.since)) return query
  const since = momentOf(flags.since.value, yield* Clock.currentTimeMillis)
  if (Option.isNone(since)) {
    return yield* new WrongUsage({
      message: `--since is "${flags.since.value}": expected how long ago (30s, 15m, 2h, 1d) or a time (2026-10-07T12:00:00Z)`
    })
  }
  query.set("since", String(Math.max(0, Math.round(since.value))))
  return query
})

const Functions = Schema.Struct({ functions: Schema.Record(Schema.String, Schema.Unknown) })

/** Fails when the stack has no function of this name. What one wrote that is gone by now may still be there to be read. */
const expectFunction = Effect.fnUntraced(function* (gateway: GatewayClient.GatewayClient, name: string) {
  const { functions } = yield* gateway.page("/functions", Functions)
  if (Object.hasOwn(functions, name)) return
  return yield* new CommandFailed({
    message: `There are no lines of ${name}, and no such function is deployed${Suggestion.of(name, Object.keys(functions))}`
  })
})

/** `esb logs`: what is there, then with `-f` what comes. */
export const show = Effect.fnUntraced(function* (flags: LogFlags) {
  const { json: isJson, note } = yield* voice
  const query = yield* queryOf(flags)
  const gateway = yield* GatewayClient.connect
  const usual = Option.isSome(flags.since) || Option.isSome(flags.requestId) ? page : firstPage
  const limit = Option.getOrElse(flags.limit, () => usual)
  const records = yield* gateway.lines(`/_esb/logs?${query}&limit=${limit}`, StoredLogRecord)
  if (records.length === 0 && Option.isSome(flags.functionName)) {
    yield* expectFunction(gateway, flags.functionName.value)
  }
  print(records, isJson)
  if (records.length === limit) note(`The newest ${limit} lines${limit < mostLines ? "; --limit shows more" : ""}.`)
  if (!flags.follow) return
  yield* follow({ gateway, query, from: records.at(-1)?.position ?? 0, isJson, isShown: () => true })
  note("The stack has stopped.")
})
