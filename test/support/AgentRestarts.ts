/** An Agent that ends under load and comes back while its workers run on, in the containers of whichever engine. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import * as AgentStack from "./AgentStack.ts"
import type { BaseName } from "./BaseImages.ts"
import { needs, type EngineName } from "./Engines.ts"
import { eventually } from "./Eventually.ts"
import * as EventLoad from "./EventLoad.ts"
import * as HttpCaller from "./HttpCaller.ts"
import * as Load from "./Load.ts"

export const maxCapacity = 3
/** The functions that {@link survive} calls, one at once and one by events. */
export const names = ["work", "record"]

/** Of their Gateway: events that an Agent has taken along run once more when it is back for good. */
export const gateway = { EVENT_RETRY_BASE: "20" }

/** Who finds no worker for some time waits as long once more. */
const eventsEndWithinMs = 100_000

const callers = 3
const senders = 2
/** Two containers and their Gateway do more than this on a machine that has other things to do. */
const restMs = 200
const rounds = 2

export interface World<E, R> {
  readonly agent: AgentStack.Agent
  readonly gateway: AgentStack.Gateway
  /** Where functions note their runs, and the file in which the notes are. */
  readonly runs: { readonly file: string; readonly url: string }
  /** Names of the containers that run. */
  readonly running: Effect.Effect<ReadonlyArray<string>, E, R>
}

/** How many events have not ended, as far as a page tells. */
const unended = ({ page }: AgentStack.Gateway) =>
  Effect.map(
    page("/_esb/events?limit=100"),
    (answer) => (answer.json() as { readonly events: ReadonlyArray<unknown> }).events.length
  )

/** Ends the Agent several times under load; tells which containers outlived each time, and what callers were told. */
export const survive = Effect.fnUntraced(function* <E, R>(
  what: string,
  { agent, gateway, running, runs }: World<E, R>,
  how: "kill" | "stop"
) {
  const ask = (question: HttpCaller.Question) => HttpCaller.ask(gateway.url, question)
  const load = yield* Load.start(ask, "work", callers)
  const sent = yield* EventLoad.start({ ask }, "record", { url: runs.url, ms: 15 }, senders, restMs)
  const survivors: Array<ReadonlyArray<string>> = []
  for (let round = 0; round < rounds; round++) {
    const served = load.right()
    yield* eventually("calls are answered", Effect.sync(load.right), (right) => right > served + 30, 40_000)
    const before = yield* running
    yield* how === "kill" ? agent.kill : agent.stop
    yield* Effect.sleep(300)
    yield* agent.start()
    const back = load.right()
    yield* eventually("calls are answered again", Effect.sync(load.right), (right) => right > back + 30, 40_000)
    const after = yield* running
    survivors.push(before.filter((name) => after.includes(name)))
  }
  yield* sent.stop
  yield* load.stop
  yield* eventually("every event ends", unended(gateway), (left) => left === 0, eventsEndWithinMs)
  const { lost, ran, repeated } = EventLoad.account(runs.file, sent)
  yield* Effect.log(
    `${what}, ${rounds} times ${how}: ${load.right()} calls right, errors ${JSON.stringify(load.errors())}, ` +
      `${load.broken().length} without an answer, the longest took ${load.longestMs().toFixed(0)} ms; ` +
      `${sent.accepted.size} events accepted, ${ran} ran, ${lost.length} lost, ${repeated} repeated; ` +
      `survivors ${survivors.map(({ length }) => length).join(", ")}`
  )
  // The Gateway was there all the time, so that every call has an answer.
  assert.deepStrictEqual({ broken: load.broken(), lost }, { broken: [], lost: [] })
  assert.isAbove(sent.accepted.size, 10)
  assert.isAtMost(repeated, how === "kill" ? rounds * maxCapacity : 0)
  return { survivors, load, log: agent.stderr() }
})

type Outcome = Effect.Success<ReturnType<typeof survive>>

/** Of either engine: `restarted` ends and starts its Agent under load, with functions in images of this base. */
export const suite = <E>(
  containers: string,
  peers: ReadonlyArray<EngineName>,
  restarted: (base: BaseName, how: "kill" | "stop") => Effect.Effect<Outcome, E, AgentStack.Shared | Scope.Scope>
): void => {
  describe(
    `an Agent that ends under load while its ${containers} run on`,
    { ...needs(...peers), timeout: 240_000 },
    () => {
      it.layer(
        AgentStack.layer,
        AgentStack.live
      )((it) => {
        it.effect("killed, finds those with our client again, who go on", () =>
          Effect.gen(function* () {
            const { log, survivors } = yield* restarted("our node", "kill")
            for (const names of survivors) assert.isAbove(names.length, 0, log)
          })
        )

        it.effect("stopped as planned, cuts no call, and finds those with our client again", () =>
          Effect.gen(function* () {
            const { load, log, survivors } = yield* restarted("our node", "stop")
            for (const names of survivors) assert.isAbove(names.length, 0, log)
            assert.notProperty(load.errors(), "Sandbox.Failure", load.lastWords()["Sandbox.Failure"])
          })
        )

        it.effect(
          "killed, replaces those with AWS's client, which ends with its connection",
          () =>
            Effect.gen(function* () {
              const { log, survivors } = yield* restarted("node", "kill")
              for (const names of survivors) assert.deepStrictEqual(names, [], log)
            }),
          needs("ric-node")
        )
      })
    }
  )
}
