/** 202 means on disk: what was accepted runs, whatever happens to the Gateway meanwhile. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Ref } from "effect"
import * as AcceptedEvents from "#test/support/AcceptedEvents"
import * as Cli from "#test/support/Cli"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as Faults from "#test/support/Faults"
import * as RoutedStack from "#test/support/RoutedStack"
import * as Stack from "#test/support/Stack"

const callers = 64

/** What a function may have at most when its template says nothing. */
const maxCapacity = 10

interface Flood {
  /** Request ids of all events that were accepted. */
  readonly acknowledged: ReadonlySet<string>
  readonly seconds: number
}

/**
 * Sends this many events from many callers at once. Who gets no answer, or is told to come again, tries again until his
 * event is accepted; what was accepted without an answer may run as well. `soFar` counts what was accepted.
 */
const flood = Effect.fnUntraced(function* (
  stack: RoutedStack.Running,
  count: number,
  payload: Readonly<Record<string, unknown>>,
  soFar: Ref.Ref<number>
) {
  const acknowledged = new Set<string>()
  const before = performance.now()
  let next = 0
  const caller = Effect.gen(function* () {
    while (next < count) {
      const id = next++
      for (;;) {
        const sent = yield* Effect.result(AcceptedEvents.send(stack, "record", { ...payload, id }))
        const answer = sent._tag === "Success" ? sent.success : undefined
        if (answer?.status === 202) {
          acknowledged.add(answer.header("x-amzn-requestid") ?? "")
          yield* Ref.update(soFar, (sum) => sum + 1)
          break
        }
        if (answer !== undefined && answer.status < 500) assert.fail(`answered ${answer.status}: ${answer.text}`)
        yield* Effect.sleep("20 millis")
      }
    }
  })
  yield* Effect.all(
    Array.from({ length: callers }, () => caller),
    { concurrency: "unbounded", discard: true }
  )
  const flood: Flood = { acknowledged, seconds: (performance.now() - before) / 1_000 }
  return flood
})

/** Nothing is left to run. */
const untilAllHaveEnded = (stack: RoutedStack.Running, withinMs: number) =>
  eventually(
    "every event ends",
    Effect.orElseSucceed(AcceptedEvents.stored(stack, 1), () => undefined),
    (events) => events?.length === 0,
    withinMs
  )

/** Acknowledged events that never ran, and runs beyond the first of each event. */
const account = (file: string, { acknowledged }: Flood) => {
  const runs = AcceptedEvents.runsIn(file)
  return {
    lost: [...acknowledged].filter((id) => !runs.has(id)),
    repeated: [...runs.values()].reduce((sum, count) => sum + count - 1, 0),
    ran: runs.size
  }
}

const environment = { INVOKE_AUTH: "none", ACCESS_LOG: "false" }

describe("Accepted events", () => {
  it.live(
    "all run, though the Gateway is killed five times while ten thousand of them arrive",
    () =>
      Effect.gen(function* () {
        const total = 10_000
        const kills = 5
        const stack = yield* RoutedStack.make({ sample: "events", environment })
        const file = AcceptedEvents.fileOf(stack, "killed")
        const soFar = yield* Ref.make(0)
        const before = performance.now()
        const sending = yield* Effect.forkChild(flood(stack, total, { file }, soFar))
        for (let kill = 1; kill <= kills; kill++) {
          const share = (total * kill) / (kills + 1)
          yield* eventually("events arrive", Ref.get(soFar), (count) => count >= share, 30_000)
          const { pid } = stack.runFile()
          yield* Faults.kill(pid)
          yield* eventually("it is started again", Effect.sync(stack.runFile), (run) => run.pid !== pid, 15_000)
        }
        const flooded = yield* Fiber.join(sending)
        yield* untilAllHaveEnded(stack, 60_000)
        const seconds = (performance.now() - before) / 1_000
        const { lost, ran, repeated } = account(file, flooded)
        yield* Effect.log(
          `${total} events accepted in ${flooded.seconds.toFixed(1)} s and run in ${seconds.toFixed(1)} s over ` +
            `${kills} kills: ${(ran / seconds).toFixed(0)} events/s, ${lost.length} lost, ${repeated} repeated`
        )
        assert.strictEqual(flooded.acknowledged.size, total)
        assert.deepStrictEqual(lost, [])
        assert.isAtMost(repeated, maxCapacity * kills)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "run once each when the Gateway is stopped and started as planned",
    () =>
      Effect.gen(function* () {
        const total = 2_000
        const stack = yield* RoutedStack.make({ sample: "events", environment })
        const file = AcceptedEvents.fileOf(stack, "planned")
        const soFar = yield* Ref.make(0)
        const sending = yield* Effect.forkChild(flood(stack, total, { file }, soFar))
        for (const share of [0.3, 0.6]) {
          yield* eventually("events arrive", Ref.get(soFar), (count) => count >= share * total, 15_000)
          const { pid } = stack.runFile()
          process.kill(pid, "SIGTERM")
          yield* eventually("it is started again", Effect.sync(stack.runFile), (run) => run.pid !== pid, 15_000)
        }
        const flooded = yield* Fiber.join(sending)
        yield* untilAllHaveEnded(stack, 30_000)
        const { lost, repeated } = account(file, flooded)
        assert.deepStrictEqual({ lost, repeated }, { lost: [], repeated: 0 })
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "are kept by a stack that stops, for the next one of the same home",
    () =>
      Effect.gen(function* () {
        const home = yield* RoutedStack.copyOf({ sample: "events" })
        const file = join(home, "kept.runs")
        const ids = yield* Effect.scoped(
          Effect.gen(function* () {
            const stack = yield* RoutedStack.start(home, { ...environment, DRAIN_TIMEOUT: "5" })
            return yield* Effect.forEach([1, 2, 3, 4, 5, 6], (id) =>
              AcceptedEvents.accepted(stack, "single", { id, file, ms: 300 })
            )
          })
        )
        const before = AcceptedEvents.runsIn(file)
        assert.isBelow(before.size, ids.length)
        const stack = yield* RoutedStack.start(home, environment)
        yield* untilAllHaveEnded(stack, 15_000)
        assert.deepStrictEqual(
          [...AcceptedEvents.runsIn(file)],
          ids.map((id): [string, number] => [id, 1])
        )
      }).pipe(Effect.scoped),
    30_000
  )
})

/** One system call of the trace that matters here. */
type Traced =
  | { readonly _tag: "Written"; readonly marker: string }
  | { readonly _tag: "Flushed" }
  | { readonly _tag: "Told"; readonly requestId: string }

/** Calls in the order of their ends. One that another thread interleaves is told in two lines: the first with its arguments. */
const callsOf = (trace: string): ReadonlyArray<Traced> => {
  const begun = new Map<string, string>()
  return trace.split("\n").flatMap((line) => {
    const [, thread = "", text = ""] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (text.endsWith("<unfinished ...>")) {
      begun.set(thread, text)
      return []
    }
    const call = /^<\.\.\. \w+ resumed>/.test(text) ? `${begun.get(thread) ?? ""}${text}` : text
    const markers = call.startsWith("pwrite64(") && call.includes("queue.db-wal") ? call.match(/marker-\w+-\d+/g) : []
    const written = [...new Set(markers)].map((marker): Traced => ({ _tag: "Written", marker }))
    const flushed = /^fdatasync\(.*queue\.db-wal.*= 0$/.test(call) ? [{ _tag: "Flushed" } as const] : []
    const told = /HTTP\/1\.1 202 .*?x-amzn-requestid: ([0-9a-f-]{36})/.exec(call)?.[1]
    return [...written, ...flushed, ...(told === undefined ? [] : [{ _tag: "Told", requestId: told } as const])]
  })
}

describe("The disk", () => {
  it.live(
    "has an event, by strace, before its caller is told",
    () =>
      Effect.gen(function* () {
        const trace = join(yield* Cli.project({}), "trace")
        const calls = "trace=fdatasync,pwrite64,write,writev,sendto,sendmsg"
        const under = ["strace", "-D", "-f", "-y", "-s", "5000", "-e", calls, "-o", trace]
        const told = new Map<string, string>()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const stack = yield* Stack.make({ under })
            const file = join(stack.directory, "traced.runs")
            const sent = Effect.fnUntraced(function* (id: string) {
              const headers = { "x-amz-invocation-type": "Event" }
              const answer = yield* Stack.call(stack, "record", { id, file }, headers)
              assert.strictEqual(answer.status, 202)
              told.set(answer.header("x-amzn-requestid") ?? "", id)
            })
            yield* Effect.forEach(
              Array.from({ length: 5 }, (_, at) => `marker-alone-${at}`),
              sent
            )
            yield* Effect.forEach(
              Array.from({ length: callers }, (_, at) => `marker-together-${at}`),
              sent,
              {
                concurrency: "unbounded"
              }
            )
          })
        )
        const traced = callsOf(readFileSync(trace, "latin1"))
        assert.strictEqual(told.size, callers + 5)
        for (const [requestId, marker] of told) {
          const written = traced.findIndex((call) => call._tag === "Written" && call.marker === marker)
          const flushed = traced.findIndex((call, at) => at > written && call._tag === "Flushed")
          const answered = traced.findIndex((call) => call._tag === "Told" && call.requestId === requestId)
          assert.isAtLeast(written, 0, `${marker} is written`)
          assert.isAbove(flushed, written, `${marker} is flushed`)
          assert.isAbove(answered, flushed, `${marker} is told after that`)
        }
      }).pipe(Effect.scoped),
    { timeout: 60_000, ...needs("strace") }
  )
})
