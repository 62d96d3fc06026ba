/** Log lines as a SQLite file, `logs.db`. The last half second before a loss of power may be missing. */
import { join } from "node:path"
import { Clock, Effect, Layer } from "effect"
import { kept } from "#domain/LogRecord"
import { defaultRetention, LogSink, type LogRetention, maxQueriedCharacters, maxQueriedLines } from "#services/LogSink"
import { LineBuffer } from "./LineBuffer.ts"
import { Sqlite } from "./Sqlite.ts"

export interface Options {
  /** Exists already. */
  readonly stateDirectory: string
  readonly retention?: Partial<LogRetention>
  /** The file does not grow beyond this; then lines are dropped. Unlimited when absent. */
  readonly maxFileBytes?: number
}

/** A file that is damaged, not ours, or of a newer version fails the layer and is left as it is. */
export const layer = ({ stateDirectory, retention, maxFileBytes }: Options) =>
  Layer.effect(
    LogSink,
    Effect.gen(function* () {
      const sqlite = yield* Sqlite
      const clock = yield* Clock.Clock
      yield* sqlite.open("openLogs", () => ({
        path: join(stateDirectory, "logs.db"),
        retention: { ...defaultRetention, ...retention },
        maxFileBytes
      }))

      const buffer = yield* Effect.acquireRelease(
        Effect.sync(
          () =>
            new LineBuffer(
              (lines, answered) => sqlite.send({ operation: "append", ask: lines, answered, isPatient: true }),
              () => clock.currentTimeMillisUnsafe()
            )
        ),
        (buffer) => Effect.sync(() => buffer.close())
      )

      return LogSink.of({
        write: (record) => buffer.write(kept(record)),
        query: (query) =>
          Effect.suspend(() => {
            buffer.flush()
            return sqlite.call("query", {
              ...query,
              limit: Math.min(query.limit, maxQueriedLines),
              maxCharacters: maxQueriedCharacters
            })
          }),
        dropped: () => buffer.dropped
      })
    })
  )
