/** Senders of events who note what was accepted, and what of it has run. */
import { assert } from "@effect/vitest"
import { Effect, Fiber, type Scope } from "effect"
import * as AcceptedEvents from "./AcceptedEvents.ts"
import * as HonestError from "./HonestError.ts"
import type { Running } from "./RoutedStack.ts"

export interface EventLoad {
  /** Request ids of all events that were accepted. */
  readonly accepted: ReadonlySet<string>
  /** No more events. Returns when the last one was accepted. */
  readonly stop: Effect.Effect<void>
}

const defaultRestMs = 20

/** Sends to a function of the sample `agents` until `stop`. Who is not told 202 sends the same again. */
export const start = Effect.fnUntraced(function* (
  stack: Pick<Running, "ask">,
  functionName: string,
  event: Readonly<Record<string, unknown>>,
  senders: number,
  restMs = defaultRestMs
): Effect.fn.Return<EventLoad, never, Scope.Scope> {
  const accepted = new Set<string>()
  let [goesOn, count] = [true, 0]
  const send = Effect.fnUntraced(function* () {
    const id = `event-${++count}`
    for (;;) {
      const sent = yield* Effect.result(AcceptedEvents.send(stack, functionName, { ...event, id }))
      if (sent._tag === "Success" && sent.success.status === 202) {
        accepted.add(sent.success.header("x-amzn-requestid") ?? assert.fail("no request id"))
        return yield* Effect.sleep(restMs)
      }
      if (sent._tag === "Success") assert.isDefined(HonestError.nameOf(sent.success))
      yield* Effect.sleep(restMs)
    }
  })
  const sender = Effect.suspend(send).pipe(Effect.repeat({ while: () => goesOn }))
  const fibers = yield* Effect.forEach(Array.from({ length: senders }), () => Effect.forkScoped(sender))
  return {
    accepted,
    stop: Effect.suspend(() => {
      goesOn = false
      return Effect.asVoid(Fiber.joinAll(fibers))
    })
  }
})

/** Accepted events that never ran, and runs beyond the first of each event. */
export const account = (file: string, { accepted }: Pick<EventLoad, "accepted">) => {
  const runs = AcceptedEvents.runsIn(file)
  return {
    lost: [...accepted].filter((id) => !runs.has(id)),
    repeated: [...runs.values()].reduce((sum, count) => sum + count - 1, 0),
    ran: runs.size
  }
}
