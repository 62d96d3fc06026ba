/** Gateway and Agent end under load: no answer is wrong, nothing accepted is lost, and all goes on by itself. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as AcceptedEvents from "#test/support/AcceptedEvents"
import { eventually } from "#test/support/Eventually"
import * as EventLoad from "#test/support/EventLoad"
import * as Load from "#test/support/Load"
import * as Processes from "#test/support/Processes"
import * as RoutedStack from "#test/support/RoutedStack"

/** What a function may have at most when its template says nothing: so many events can be in flight at a kill. */
const maxCapacity = 10

const environment = { ESB_AGENT: "1", INVOKE_AUTH: "none", ACCESS_LOG: "false" }

type Server = "esb-agent" | "esb-gateway"
type Signal = "SIGKILL" | "SIGTERM"

const pidOf = (stack: RoutedStack.Running, name: Server) =>
  Processes.of(stack.home).find(({ command }) => command.startsWith(name))?.pid

/** Sends the signal to these at once; returns when all of them run again. */
const end = Effect.fnUntraced(function* (stack: RoutedStack.Running, names: ReadonlyArray<Server>, signal: Signal) {
  const before = names.map((name) => pidOf(stack, name) ?? assert.fail(`no ${name} runs`))
  for (const pid of before) process.kill(pid, signal)
  yield* eventually(
    `${names.join(" and ")} start again`,
    Effect.sync(() => names.map((name) => pidOf(stack, name))),
    (pids) => pids.every((pid) => pid !== undefined && !before.includes(pid)),
    10_000
  )
})

interface Outcome {
  /** Sent by callers who waited for the answer. */
  readonly right: number
  readonly errors: Readonly<Record<string, number>>
  readonly lastWords: Readonly<Record<string, string>>
  /** Calls that were cut off at a time at which the Gateway was there. */
  readonly brokenWithoutReason: ReadonlyArray<Load.Broken>
  readonly accepted: number
  readonly lost: ReadonlyArray<string>
  readonly repeated: number
}

/** Ends these several times under load, and lets all of it come to its end. */
const survive = Effect.fnUntraced(function* (names: ReadonlyArray<Server>, signal: Signal, times: number) {
  const stack = yield* RoutedStack.make({ sample: "agents", environment })
  const file = AcceptedEvents.fileOf(stack, "events")
  const load = yield* Load.start(stack.ask, "work", 8)
  const events = yield* EventLoad.start(stack, "record", { file, ms: 15 }, 4)
  const outages: Array<{ readonly fromMs: number; readonly toMs: number }> = []
  for (let round = 0; round < times; round++) {
    const served = load.right()
    yield* eventually("calls are answered", Effect.sync(load.right), (right) => right > served + 50, 15_000)
    const fromMs = performance.now()
    yield* end(stack, names, signal)
    const back = load.right()
    yield* eventually("calls are answered again", Effect.sync(load.right), (right) => right > back, 10_000)
    if (names.includes("esb-gateway")) outages.push({ fromMs, toMs: performance.now() })
  }
  const served = load.right()
  yield* eventually("calls are answered as before", Effect.sync(load.right), (right) => right > served + 100, 15_000)
  yield* events.stop
  yield* load.stop
  const stored = Effect.map(AcceptedEvents.stored(stack), (left) => left)
  yield* eventually("every event ends", stored, (left) => left.length === 0, 30_000)

  const { lost, ran, repeated } = EventLoad.account(file, events)
  const outcome: Outcome = {
    right: load.right(),
    errors: load.errors(),
    lastWords: load.lastWords(),
    brokenWithoutReason: load
      .broken()
      .filter((call) => !outages.some(({ fromMs, toMs }) => call.toMs >= fromMs && call.fromMs <= toMs)),
    accepted: events.accepted.size,
    lost,
    repeated
  }
  yield* Effect.log(
    `${times} times ${signal} to ${names.join(" and ")}: ${outcome.right} calls right, errors ${JSON.stringify(outcome.errors)}, ` +
      `${load.broken().length} without an answer, the longest took ${load.longestMs().toFixed(0)} ms; ` +
      `${outcome.accepted} events accepted, ${ran} ran, ${lost.length} lost, ${repeated} repeated`
  )
  return outcome
}, Effect.scoped)

const isSound = ({ accepted, brokenWithoutReason, lost, repeated, right }: Outcome, kills: number): void => {
  assert.isAbove(right, 100)
  assert.isAbove(accepted, 50)
  assert.deepStrictEqual({ brokenWithoutReason, lost }, { brokenWithoutReason: [], lost: [] })
  assert.isAtMost(repeated, kills * maxCapacity)
}

describe("Under load", Processes.needsProc, () => {
  it.live(
    "an Agent that is killed loses no event and costs no more than the calls in it",
    () =>
      Effect.gen(function* () {
        const outcome = yield* survive(["esb-agent"], "SIGKILL", 3)
        isSound(outcome, 3)
      }),
    60_000
  )

  it.live(
    "an Agent that is stopped as planned cuts no call, and no event runs twice",
    () =>
      Effect.gen(function* () {
        const outcome = yield* survive(["esb-agent"], "SIGTERM", 2)
        isSound(outcome, 0)
        assert.notProperty(outcome.errors, "Sandbox.Failure", outcome.lastWords["Sandbox.Failure"])
      }),
    60_000
  )

  it.live(
    "a Gateway that is stopped as planned answers all it has taken, and no event runs twice",
    () =>
      Effect.gen(function* () {
        const outcome = yield* survive(["esb-gateway"], "SIGTERM", 2)
        isSound(outcome, 0)
        assert.deepStrictEqual(outcome.errors, {})
      }),
    60_000
  )

  it.live(
    "a Gateway that is killed loses no event and answers nobody wrongly",
    () =>
      Effect.gen(function* () {
        const outcome = yield* survive(["esb-gateway"], "SIGKILL", 3)
        isSound(outcome, 3)
      }),
    60_000
  )

  it.live(
    "both, killed at once, lose no event and answer nobody wrongly",
    () =>
      Effect.gen(function* () {
        const outcome = yield* survive(["esb-agent", "esb-gateway"], "SIGKILL", 2)
        isSound(outcome, 2)
      }),
    60_000
  )
})
