/** What an `esb up` left running that was killed itself. */
import { Duration, Effect } from "effect"
import * as ProcessIdentity from "./ProcessIdentity.ts"

/** How long it may take to stop before it is killed. */
const patience = Duration.seconds(5)

/** Asks a server to stop, and sees to it that it does: two of them must not serve one home. */
export const end = Effect.fnUntraced(function* (server: ProcessIdentity.ProcessIdentity) {
  const signal = (name: NodeJS.Signals) =>
    Effect.sync(() => {
      if (ProcessIdentity.isAlive(server)) process.kill(server.pid, name)
    })
  yield* signal("SIGTERM")
  yield* Effect.sleep("50 millis").pipe(
    Effect.repeat({ while: () => ProcessIdentity.isAlive(server) }),
    Effect.timeoutOption(patience)
  )
  yield* signal("SIGKILL")
})
