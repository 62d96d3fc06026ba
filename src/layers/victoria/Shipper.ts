/**
 * Brings lines to their store in the background. The store never delays who writes a line: what it cannot take in time is
 * dropped, counted and told. A request that broke off may have been taken, and is made again: a line may arrive twice.
 */
import { Clock, Effect, Fiber, Latch, Metric, Random, type Scope } from "effect"
import { LineQueue } from "./LineQueue.ts"
import { type Loss, Losses, type LossReason } from "./Losses.ts"
import type { ShipLimits } from "./ShipLimits.ts"
import type { Store } from "./Store.ts"

export interface Destination {
  /** In the figures and in what is told. */
  readonly name: string
  readonly store: Store
  readonly limits: ShipLimits
  /**
   * Tells of lines that were lost, wherever else it can, and here by the line that it returns, if any. Called no more often
   * than the limits say, and when the program stops.
   */
  readonly tell: (loss: Loss) => string | undefined
}

export interface Shipper {
  /** Takes a line without its newline. */
  readonly ship: (line: string) => void
}

const sent = Metric.counter("esb_shipped_lines_total", {
  description: "Lines of logs and traces that their store has taken.",
  incremental: true
})

/** A closed stderr must not end the program. */
const forgivingStderr = Effect.suspend(() => {
  const forgive = (): void => undefined
  return Effect.acquireRelease(
    Effect.sync(() => process.stderr.on("error", forgive)),
    () => Effect.sync(() => process.stderr.off("error", forgive))
  )
})

/** Ends with its scope: what waits by then is sent, within a limit. */
export const make = Effect.fnUntraced(function* (
  destination: Destination
): Effect.fn.Return<Shipper, never, Scope.Scope> {
  const { limits, name, store, tell } = destination
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const queue = new LineQueue(limits)
  const losses = new Losses({ name, limits, now: () => clock.currentTimeMillisUnsafe(), context })
  const sentHere = Metric.withAttributes(sent, { to: name })
  const some = Latch.makeUnsafe(false)
  const full = Latch.makeUnsafe(false)
  const stopping = Latch.makeUnsafe(false)
  let isStopping = false
  let isClosed = false
  /** Lines whose request is under way. */
  let travelling = 0
  /** Requests in a row that failed. */
  let failures = 0

  const push = (line: string): boolean => {
    if (isClosed || !queue.push(line)) return false
    if (queue.length === 1) some.openUnsafe()
    if (queue.isFull) full.openUnsafe()
    return true
  }

  /** Where there is no room for this line either, nothing is lost that was not told elsewhere. */
  const tellLosses = (): void => {
    const line = tell(losses.take())
    if (line !== undefined) push(line)
  }

  const rest = Effect.gen(function* () {
    const longest = Math.min(limits.longestBackoffMs, limits.firstBackoffMs * 2 ** (failures - 1))
    yield* Effect.timeoutOption(stopping.await, yield* Random.nextBetween(longest / 2, longest))
  })

  const lose = (reason: LossReason, why: string): void => {
    losses.count(reason, travelling, why)
    travelling = 0
  }

  /** A stopping program tries once more. */
  const deliver = Effect.fnUntraced(function* (lines: ReadonlyArray<string>) {
    travelling = lines.length
    for (let attempt = 1; ; attempt += 1) {
      const isLast = isStopping
      const failure = yield* Effect.match(store.send(lines), { onSuccess: () => undefined, onFailure: (why) => why })
      if (failure === undefined) {
        travelling = 0
        failures = 0
        return sentHere.updateUnsafe(lines.length, context)
      }
      losses.complain(failure, lines.length + queue.length, lines[0] ?? "null")
      if (!failure.mayPass) return lose("refused", failure.detail)
      failures += 1
      if (isLast) return lose("stopped", failure.detail)
      if (attempt === limits.attempts) return lose("unreachable", failure.detail)
      yield* rest
    }
  })

  const settle = (): void => {
    if (queue.length === 0) some.closeUnsafe()
    if (!queue.isFull) full.closeUnsafe()
    if (losses.areUntold && losses.untilToldMs() === 0) tellLosses()
  }

  /** Waits for lines, and then a while for more of them, unless the program stops or has losses to tell. */
  const gather = Effect.gen(function* () {
    const wake = Effect.raceFirst(some.await, stopping.await)
    const woken = yield* losses.areUntold ? Effect.timeoutOption(wake, losses.untilToldMs()) : Effect.asSome(wake)
    if (woken._tag === "None") return
    yield* Effect.timeoutOption(Effect.raceFirst(full.await, stopping.await), limits.lingerMs)
  })

  /** Once the program stops: as long as something is left, and the store takes it. */
  const goesOn = (): boolean => !isStopping || (queue.length > 0 && failures === 0)

  const work = Effect.gen(function* () {
    while (goesOn()) {
      yield* gather
      if (queue.length > 0) yield* deliver(queue.take())
      settle()
    }
  })

  const stop = Effect.fnUntraced(function* (fiber: Fiber.Fiber<void>) {
    isStopping = true
    stopping.openUnsafe()
    // An outage may be over: a last try is made in any case.
    failures = 0
    yield* Effect.timeoutOption(Fiber.await(fiber), limits.flushLimitMs)
    yield* Fiber.interrupt(fiber)
    isClosed = true
    const left = travelling + queue.length
    if (left > 0) losses.count("stopped", left, `they could not be sent within ${limits.flushLimitMs} ms of the stop`)
    if (losses.areUntold) tellLosses()
  })

  yield* forgivingStderr
  const fiber = yield* Effect.forkScoped(work)
  yield* Effect.addFinalizer(() => stop(fiber))

  return {
    ship: (line) => {
      if (push(line)) return
      if (isClosed) losses.count("stopped", 1, "the program stops")
      else losses.count("queue_full", 1, "more lines are written than it takes")
    }
  }
})
