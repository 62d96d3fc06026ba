/** One deploy to a home at a time: each goes by what the one before it has left. */
import { Duration, Effect, Schedule } from "effect"
import { join } from "node:path"
import * as FileLock from "#layers/process/FileLock"
import { CommandFailed } from "./Refusal.ts"

/** As long as a deploy may take that builds images; after it, whoever waits is told to look. */
const waitsAtMost = Duration.minutes(15)
const lookEvery = Duration.seconds(1)

export interface Patience {
  readonly waitsAtMost: Duration.Duration
  readonly lookEvery: Duration.Duration
}

/** As SQLite says it. Anything else that is wrong with the file does not pass by itself. */
const isTaken = ({ detail }: FileLock.NotHeld): boolean => detail.includes("locked")

/** Has the turn until the scope ends. Says so when it has to wait for another. */
export const take = Effect.fnUntraced(function* (
  home: string,
  note: (line: string) => void,
  patience: Patience = { waitsAtMost, lookEvery }
) {
  const turn = FileLock.hold(join(home, "deploy.lock"))
  const refused = (message: string) => new CommandFailed({ message: `No deploy to ${home}: ${message}` })
  yield* turn.pipe(
    Effect.tapError((cause) =>
      Effect.sync(() => {
        if (isTaken(cause)) note(`another deploy to ${home} is under way: waiting for its end`)
      })
    ),
    Effect.catchIf(isTaken, () =>
      turn.pipe(
        Effect.retry({ while: isTaken, schedule: Schedule.spaced(patience.lookEvery) }),
        Effect.timeoutOrElse({
          duration: patience.waitsAtMost,
          orElse: () => refused(`another has not ended after ${Duration.format(patience.waitsAtMost)}`)
        })
      )
    ),
    Effect.catchTag("NotHeld", ({ detail }) => refused(`its lock cannot be had: ${detail}`))
  )
})
