import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Option, type Scope } from "effect"
import type { LogRecord } from "#domain/LogRecord"
import type { OwnerId } from "#domain/Worker"
import { Agents, layer as agentsLayer } from "#layers/grpc/client/Agents"
import * as LogEntry from "#layers/grpc/log/LogEntry"
import * as LogSubscription from "#layers/grpc/log/LogSubscription"
import { type Bench, certificatesOf, make, mine, type Options, theirs, withBench } from "#test/support/DataDoorBench"
import { eventually } from "#test/support/Eventually"
import * as RecordedLog from "#test/support/RecordedLog"

const record = (message: string): LogRecord => ({
  atUnixMs: 1_700_000_000_000,
  source: "function",
  level: "INFO",
  message,
  functionName: undefined,
  containerName: undefined,
  requestId: undefined,
  traceId: undefined
})

const write = ({ log }: Bench, owner: OwnerId, ...messages: ReadonlyArray<string>): void => {
  for (const message of messages) log.write(record(message), owner)
}

interface Feed {
  readonly entries: Array<LogEntry.LogEntry>
  readonly isOpen: () => boolean
  /** Who has not read yet begins to. */
  readonly wake: () => void
  readonly close: () => void
}

/** What the door tells an owner who reads all the time, or not at all. */
const feed = ({ connect }: Bench, owner: OwnerId, query = "", reads = true): Effect.Effect<Feed, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const entries: Array<LogEntry.LogEntry> = []
      const socket = connect()
      let text = ""
      let isOpen = true
      const wake = (): void => {
        socket.on("data", (chunk: Buffer) => {
          text += chunk.toString("utf8")
          for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n")) {
            // Head and chunk sizes of HTTP are no entries.
            const entry = LogEntry.decode(text.slice(0, at))
            if (Option.isSome(entry)) entries.push(entry.value)
            text = text.slice(at + 1)
          }
        })
      }
      if (reads) wake()
      socket.on("error", () => undefined)
      socket.on("close", () => {
        isOpen = false
      })
      socket.write(`GET /logs${query} HTTP/1.1\r\nhost: a\r\nesb-owner: ${owner}\r\n\r\n`)
      return { entries, isOpen: () => isOpen, wake, close: () => void socket.destroy() }
    }),
    ({ close }) => Effect.sync(close)
  )

const linesOf = ({ entries }: Feed): ReadonlyArray<string> =>
  entries.flatMap((entry) => (entry._tag === "Line" ? [entry.message] : []))

const runOf = ({ entries }: Feed): string => {
  const [first] = entries
  return first?._tag === "Run" ? first.run : assert.fail("the first entry names the run")
}

const sees = (from: Feed, ...messages: ReadonlyArray<string>) =>
  eventually(
    "the lines",
    Effect.sync(() => linesOf(from)),
    (lines) => lines.join() === messages.join()
  )

const suite = (name: string, base: Options) => {
  const withDoor = (options: Options, test: Parameters<typeof withBench>[1]) => withBench({ ...base, ...options }, test)

  describe(`a worker's log by the data door (${name})`, () => {
    it.live(
      "is told to its owner, and to nobody else",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          write(bench, mine, "before")
          const [ours, foreign] = [yield* feed(bench, mine), yield* feed(bench, theirs)]
          const other = yield* bench.open(theirs)
          bench.door.output(Buffer.from("our secret\n"))
          other.door.output(Buffer.from("their secret\n"))
          bench.log.write(record("the Agent's own"))
          yield* sees(ours, "before", "our secret")
          yield* sees(foreign, "their secret")
        })
      )
    )

    it.live(
      "goes on after a break where its reader stopped, and for another reader where the last one did",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const first = yield* feed(bench, mine)
          write(bench, mine, "a", "b")
          yield* sees(first, "a", "b")
          first.close()
          write(bench, mine, "c")
          const again = yield* feed(bench, mine, `?run=${runOf(first)}&after=1`)
          yield* sees(again, "b", "c")
          again.close()
          write(bench, mine, "d")
          const stranger = yield* feed(bench, mine, "?run=another&after=1")
          yield* sees(stranger, "d")
          assert.deepInclude(stranger.entries[0], { _tag: "Run", after: 3 })
        })
      )
    )

    it.live(
      "says how many lines had to make room",
      withDoor({ log: { lines: 3 } }, (bench) =>
        Effect.gen(function* () {
          write(bench, mine, "a", "b", "c", "d", "e")
          const reader = yield* feed(bench, mine)
          yield* sees(reader, "c", "d", "e")
          assert.deepInclude(reader.entries, { _tag: "Lost", count: 2 })
          assert.strictEqual(bench.log.dropped(), 2)
        })
      )
    )

    it.live(
      "has a heartbeat, so that silence means something",
      withDoor({ door: { heartbeatMs: 20 } }, (bench) =>
        Effect.gen(function* () {
          const reader = yield* feed(bench, mine)
          yield* eventually(
            "two heartbeats",
            Effect.sync(() => reader.entries.filter(({ _tag }) => _tag === "Heartbeat").length),
            (beats) => beats >= 2
          )
        })
      )
    )

    it.live(
      "waits for a reader who does not read, and gives up his connection",
      withDoor({ door: { heartbeatMs: 20, missedHeartbeats: 3 }, log: { characters: 64 * 1024 ** 2 } }, (bench) =>
        Effect.gen(function* () {
          const sleeper = yield* feed(bench, mine, "", false)
          const long = "x".repeat(200_000)
          for (let count = 0; count < 100; count++) write(bench, mine, long)
          yield* Effect.sleep(300)
          sleeper.wake()
          yield* eventually("he is given up", Effect.sync(sleeper.isOpen), (isOpen) => !isOpen)
          assert.isBelow(linesOf(sleeper).length, 100)
          assert.strictEqual(bench.log.dropped(), 0)
        })
      )
    )

    it.live(
      "is kept by the Gateway: an Agent asked for it says so",
      withDoor({}, ({ log }) =>
        Effect.gen(function* () {
          const failure = yield* Effect.flip(log.query({ limit: 10 }))
          assert.include(failure.message, "an Agent keeps no log; ask its Gateway")
        })
      )
    )
  })

  describe(`a Gateway's subscription to its workers' log (${name})`, () => {
    /** What has come home, and the Agent by which it came. */
    const subscribed = Effect.fnUntraced(function* (bench: Bench) {
      const home = RecordedLog.make()
      const agents = yield* Layer.build(
        LogSubscription.layerWith({ lookEveryMs: 5, firstBackoffMs: 5, longestBackoffMs: 20 }).pipe(
          Layer.provideMerge(agentsLayer({ addresses: ["127.0.0.1:1"], owner: mine })),
          Layer.provide([home.layer, certificatesOf(bench.gatewayBundle)])
        )
      )
      const { all, held } = Context.get(agents, Agents)
      const [agent] = all
      if (agent === undefined) return assert.fail("there is an Agent")
      return {
        /** A worker has told where it is reached. */
        learns: ({ worker }: Pick<Bench, "worker">) => held.reachedAt(agent, worker),
        sees: (...messages: ReadonlyArray<string>) =>
          eventually(
            "the lines come home",
            Effect.sync(() => home.records.map(({ message }) => message)),
            (lines) => lines.join() === messages.join()
          )
      }
    })

    it.live(
      "brings every line home once, over breaks of the connection",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const { learns, sees } = yield* subscribed(bench)
          write(bench, mine, "a")
          learns(bench)
          yield* sees("a")
          bench.wire.cut()
          write(bench, mine, "b", "c")
          yield* Effect.sleep(50)
          bench.wire.mend()
          yield* sees("a", "b", "c")
          bench.door.output(Buffer.from("d\n"))
          yield* sees("a", "b", "c", "d")
        })
      )
    )

    it.live(
      "finds an Agent that was started anew",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const { learns, sees } = yield* subscribed(bench)
          write(bench, mine, "a", "b")
          learns(bench)
          yield* sees("a", "b")
          yield* bench.stop
          const next = yield* make(base, bench)
          write(next, mine, "c")
          learns(next)
          yield* sees("a", "b", "c")
        })
      )
    )

    it.live(
      "tells what was lost, in its place",
      withDoor({ log: { lines: 2 } }, (bench) =>
        Effect.gen(function* () {
          const { learns, sees } = yield* subscribed(bench)
          write(bench, mine, "a", "b", "c")
          learns(bench)
          const told = "The Agent 127.0.0.1:1 dropped 1 log lines of workers: it holds only so many until they are read"
          yield* sees(told, "b", "c")
        })
      )
    )

    it.live(
      "ends with the Gateway",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const reading = yield* Effect.forkScoped(
            Effect.scoped(
              Effect.gen(function* () {
                const { learns, sees } = yield* subscribed(bench)
                write(bench, mine, "a")
                learns(bench)
                yield* sees("a")
              })
            )
          )
          yield* Fiber.join(reading)
          yield* eventually("its connection closes", Effect.sync(bench.wire.connections), (open) => open === 0)
        })
      )
    )
  })
}

suite("in the clear", {})
suite("TLS", { tls: true })
