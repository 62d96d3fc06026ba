import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Queue } from "effect"
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ServerRun } from "#programs/esb/ServerProcess"
import * as ProcessIdentity from "#programs/esb/ProcessIdentity"
import * as Supervisor from "#programs/esb/Supervisor"

/** A stand-in that listens on `PORT`, says so as a Gateway does, and then behaves as a test wants it to. */
const standIn = (behaviour: string) => {
  const path = join(mkdtempSync(join(tmpdir(), "esb-CliSupervisor-")), "gateway.mjs")
  writeFileSync(
    path,
    `import { writeSync } from "node:fs"
     import { createServer } from "node:http"
     const server = createServer((_, response) => response.end("ok"))
     const ready = () => server.listen(Number(process.env.PORT), "127.0.0.1", () => {
       const { port } = server.address()
       writeSync(Number(process.env.ESB_READY_FD), JSON.stringify({ ready: true, url: "http://127.0.0.1:" + port }) + "\\n")
     })
     ${behaviour}`
  )
  return path
}

interface Answering {
  readonly run: ServerRun
  readonly url: string
}

const supervise = Effect.fnUntraced(function* (behaviour: string, patienceMs = 2000) {
  const program = standIn(behaviour)
  const answers = yield* Queue.bounded<Answering>(16)
  const restarts: Array<string> = []
  const said: Array<string> = []
  const logPath = `${program}.log`
  const fiber = yield* Effect.forkScoped(
    Supervisor.supervise({
      name: "Gateway",
      program,
      environment: { ...process.env, PORT: "0" },
      logPath,
      said: (line) => {
        said.push(line)
        return line
      },
      patienceMs,
      onRestart: (why) => restarts.push(why),
      onReady: (run, url) => Effect.asVoid(Queue.offer(answers, { run, url }))
    })
  )
  return { fiber, next: Effect.timeout(Queue.take(answers), "10 seconds"), restarts, said, logPath }
})

const get = (url: string) => Effect.promise(() => fetch(url).then((response) => response.text()))

const isAlive = (pid: number) => ProcessIdentity.of(pid).startedAt !== ""

describe("Supervisor", () => {
  it.live("starts the Gateway, hears when it answers, and stops it when it is interrupted", () =>
    Effect.gen(function* () {
      const { fiber, logPath, next, said } = yield* supervise(
        `ready(); console.error("hello"); process.on("SIGTERM", () => { console.error("bye"); process.exit() })`
      )
      const { run, url } = yield* next
      assert.strictEqual(yield* get(url), "ok")
      yield* Fiber.interrupt(fiber)
      assert.isFalse(isAlive(run.pid))
      assert.deepStrictEqual(said, ["hello", "bye"])
      assert.strictEqual(readFileSync(logPath, "utf8"), "hello\nbye\n")
    }).pipe(Effect.scoped)
  )

  it.live("starts it again at the same port when it is killed", () =>
    Effect.gen(function* () {
      const { next, restarts } = yield* supervise("ready()")
      const first = yield* next
      process.kill(first.run.pid, "SIGKILL")
      const second = yield* next
      assert.strictEqual(second.url, first.url)
      assert.notStrictEqual(second.run.pid, first.run.pid)
      assert.strictEqual(yield* get(second.url), "ok")
      assert.deepStrictEqual(restarts, ["it was ended by SIGKILL"])
    }).pipe(Effect.scoped)
  )

  it.live("kills one that does not stop in time", () =>
    Effect.gen(function* () {
      const { fiber, next } = yield* supervise(`ready(); process.on("SIGTERM", () => {})`, 200)
      const { run } = yield* next
      yield* Fiber.interrupt(fiber)
      assert.isFalse(isAlive(run.pid))
    }).pipe(Effect.scoped)
  )

  it.live("fails at once, with its last words, when the first start fails", () =>
    Effect.gen(function* () {
      const { fiber, restarts } = yield* supervise(`console.error("no port for me"); process.exit(3)`)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(
        Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "",
        "CommandFailed: The Gateway did not start: it ended with code 3\nno port for me"
      )
      assert.deepStrictEqual(restarts, [])
    }).pipe(Effect.scoped)
  )

  it.live(
    "gives up on one that ends again and again, and says why",
    () =>
      Effect.gen(function* () {
        const { fiber, restarts } = yield* supervise(
          `ready(); setTimeout(() => { console.error("broken"); process.exit(1) }, 20)`
        )
        const exit = yield* Fiber.await(fiber)
        assert.include(Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "", "times in a row")
        assert.include(Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "", "broken")
        assert.isAtLeast(restarts.length, 3)
      }).pipe(Effect.scoped),
    60_000
  )
})
