import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { readFileSync } from "node:fs"
import * as Launcher from "#layers/process/Launcher"
import type { End } from "#layers/process/LauncherProcess"
import { isAlive, needsProc } from "#test/support/Processes"

const limits = { lastOutputMs: 100, launchLimitMs: 400 }

/** Starts a shell script; what it wrote, and how it ended. */
const start = Effect.fnUntraced(function* (launcher: Launcher.Launcher, script: string) {
  const output: Array<string> = []
  const ended = yield* Deferred.make<End>()
  const pid = yield* launcher.start({
    words: ["/bin/sh", "-c", script],
    directory: "/",
    environment: { PATH: "/usr/bin:/bin" },
    onOutput: (chunk) => void output.push(Buffer.from(chunk).toString()),
    onEnded: (end) => Deferred.doneUnsafe(ended, Effect.succeed(end))
  })
  return { pid, ended: Deferred.await(ended), output: () => output.join("") }
})

const parentOf = (pid: number): number =>
  Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])

describe("the launcher", needsProc, () => {
  it.live("starts processes that lead a group of their own, and tells all they wrote before their end", () =>
    Effect.gen(function* () {
      const launcher = yield* Launcher.make(limits)
      const many = Array.from({ length: 10 }, (_, index) => start(launcher, `echo $$ says ${index}; exit ${index}`))
      const started = yield* Effect.all(many, { concurrency: "unbounded" })
      for (const [index, { ended, output, pid }] of started.entries()) {
        assert.deepStrictEqual(yield* ended, { code: index, signal: undefined })
        assert.strictEqual(output(), `${pid} says ${index}\n`)
      }
    })
  )

  it.live("fails for a directory that is not there", () =>
    Effect.gen(function* () {
      const launcher = yield* Launcher.make(limits)
      const failure = yield* Effect.flip(
        launcher.start({
          words: ["/bin/true"],
          directory: "/nowhere",
          environment: {},
          onOutput: () => undefined,
          onEnded: () => undefined
        })
      )
      assert.strictEqual(failure._tag, "RuntimeUnavailable")
    })
  )

  it.live("takes everything with it when it is killed, and is replaced", () =>
    Effect.gen(function* () {
      const launcher = yield* Launcher.make(limits)
      const { ended, pid } = yield* start(launcher, "sleep 60 & sleep 60")
      process.kill(parentOf(pid), "SIGKILL")
      assert.deepStrictEqual(yield* ended, { code: undefined, signal: "SIGKILL" })
      const next = yield* start(launcher, "exit 3")
      assert.deepStrictEqual(yield* next.ended, { code: 3, signal: undefined })
    })
  )

  it.live("is given up when it does not answer in time, and replaced", () =>
    Effect.gen(function* () {
      const launcher = yield* Launcher.make(limits)
      const first = yield* start(launcher, "sleep 60")
      const stuck = parentOf(first.pid)
      process.kill(stuck, "SIGSTOP")
      const failure = yield* Effect.flip(start(launcher, "exit 0"))
      assert.match(failure.message, /did not answer within 400 ms/)
      assert.deepInclude(yield* first.ended, { signal: "SIGKILL" })
      assert.isFalse(isAlive(stuck))
      const next = yield* start(launcher, "exit 3")
      assert.deepInclude(yield* next.ended, { code: 3 })
    })
  )

  it.live("ends with its scope, and what it started with it", () =>
    Effect.gen(function* () {
      const pids = yield* Effect.scoped(
        Effect.gen(function* () {
          const launcher = yield* Launcher.make(limits)
          const { pid } = yield* start(launcher, "sleep 60")
          return [pid, parentOf(pid)]
        })
      )
      for (let waitedMs = 0; pids.some(isAlive) && waitedMs < 1_000; waitedMs += 10) yield* Effect.sleep(10)
      assert.isFalse(pids.some(isAlive))
    })
  )
})
