/**
 * Which containers of a stack have ended or were frozen, as the engine tells it. The connection is made anew for ever when it breaks; what
 * happened meanwhile is for `onConnected` to find out.
 */
import { Effect, Option, Schema } from "effect"
import { DockerApi } from "./DockerApi.ts"

export interface Listening {
  /** `name=value` of the labels that the containers have. */
  readonly labels: ReadonlyArray<string>
  readonly reconnectEveryMs: number
  /** Every event from now on is heard. */
  readonly onConnected: Effect.Effect<void>
  /** By the container's name; this one and the next never block. */
  readonly onEnd: (name: string) => void
  /** Whoever has frozen it. */
  readonly onFrozen: (name: string) => void
}

const Event = Schema.fromJsonString(
  Schema.Struct({
    Action: Schema.Literals(["die", "pause"]),
    Actor: Schema.Struct({ Attributes: Schema.Struct({ name: Schema.String }) })
  })
)
const decode = Schema.decodeUnknownOption(Event)

/** An event is a line of a few hundred bytes; without an end it is none. */
const longestLine = 1_048_576

/** Lines of JSON, however the connection cuts them. */
const lines = (onLine: (line: string) => void): ((chunk: Buffer) => void) => {
  let begun = ""
  return (chunk) => {
    const parts = (begun + chunk.toString("utf8")).split("\n")
    begun = parts.pop() ?? ""
    if (begun.length > longestLine) begun = ""
    for (const line of parts) onLine(line)
  }
}

export const listen = Effect.fnUntraced(function* (listening: Listening) {
  const { labels, onConnected, onEnd, onFrozen, reconnectEveryMs } = listening
  const { call, engine } = yield* DockerApi
  const filters = JSON.stringify({ type: ["container"], event: ["die", "pause"], label: labels })

  const read = (stream: NodeJS.ReadableStream): Effect.Effect<void> =>
    Effect.callback((resume) => {
      const over = (): void => resume(Effect.void)
      stream.on(
        "data",
        lines((line) =>
          Option.map(decode(line), ({ Action, Actor: { Attributes } }) =>
            Action === "die" ? onEnd(Attributes.name) : onFrozen(Attributes.name)
          )
        )
      )
      stream.once("close", over)
      stream.on("error", over)
      return Effect.sync(() => {
        if ("destroy" in stream && typeof stream.destroy === "function") stream.destroy()
      })
    })

  const session = call((abortSignal) => engine.getEvents({ filters, abortSignal })).pipe(
    Effect.flatMap((stream) => Effect.andThen(Effect.forkChild(onConnected), read(stream))),
    // The next session says it all again.
    Effect.ignore({ log: "Debug" })
  )
  return yield* Effect.forever(Effect.andThen(session, Effect.sleep(reconnectEveryMs)))
})
