/**
 * A server of ours as an operator runs it, without `esb up`: a process that is told everything by its environment. When the
 * scope ends it is asked to stop, and must do so well.
 */
import { assert } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { Effect, type Scope } from "effect"
import { programAt } from "./Cli.ts"

export type Environment = Readonly<Record<string, string>>

export interface BareServer {
  /** Where it answers; the same after every start. */
  readonly url: string
  /** Of the run that goes on, or of the last one. */
  readonly pid: () => number
  /** What its runs have written to stderr. */
  readonly stderr: () => string
  /** `SIGTERM`. Its exit code, once it is gone; `null` when it had to be killed. */
  readonly stop: Effect.Effect<number | null>
  /** `kill -9`. It is gone when this returns. */
  readonly kill: Effect.Effect<void>
  /** Once more, at the same port, with some settings in place of the first. It answers when this returns. */
  readonly start: (changes?: Environment) => Effect.Effect<void>
}

interface Run {
  readonly child: ChildProcess
  readonly url: string
  readonly ended: Promise<number | null>
}

/** How long a server may take to answer, and to stop once it was asked to. */
const readyLimitMs = 15_000
const stopLimitMs = 15_000

const keptCharacters = 262_144

/** What every process needs; nothing else of the environment of the tests is a server's business. */
const surroundings = (): Environment =>
  Object.fromEntries(["PATH", "HOME", "TMPDIR"].flatMap((name) => [[name, process.env[name] ?? ""]]))

const launch = async (
  program: string,
  environment: Environment,
  hear: (text: string) => void,
  said: () => string
): Promise<Run> => {
  const child = spawn(process.execPath, ["--enable-source-maps", programAt(program)], {
    env: { ...surroundings(), ...environment, ESB_READY_FD: "3" },
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    // What is sent to the group of the tests is not meant for it.
    detached: true
  })
  child.stderr?.setEncoding("utf8").on("data", hear)
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve))
  const line = await new Promise<string>((resolve, reject) => {
    const patience = setTimeout(() => {
      child.kill("SIGKILL")
      reject(new Error(`the ${program} does not answer within ${readyLimitMs} ms\n${said()}`))
    }, readyLimitMs)
    child.once("close", (code) => {
      clearTimeout(patience)
      reject(new Error(`the ${program} ended with ${code}\n${said()}`))
    })
    createInterface({ input: child.stdio[3] as Readable }).once("line", (told) => {
      clearTimeout(patience)
      resolve(told)
    })
  })
  return { child, ended, url: (JSON.parse(line) as { readonly url: string }).url }
}

const isRunning = ({ child }: Run): boolean => child.exitCode === null && child.signalCode === null

/** Answers when this returns. */
export const make = Effect.fnUntraced(function* (
  program: "agent" | "gateway",
  environment: Environment
): Effect.fn.Return<BareServer, never, Scope.Scope> {
  let stderr = ""
  const hear = (text: string): void => {
    stderr = (stderr + text).slice(-keptCharacters)
  }
  const begin = (given: Environment) => Effect.promise(() => launch(program, given, hear, () => stderr))

  const stop = (run: Run) =>
    Effect.promise(async () => {
      if (!isRunning(run)) return run.ended
      run.child.kill("SIGTERM")
      const impatience = setTimeout(() => run.child.kill("SIGKILL"), stopLimitMs)
      const code = await run.ended
      clearTimeout(impatience)
      return code
    })

  let run: Run = yield* Effect.acquireRelease(begin(environment), () =>
    Effect.suspend(() => {
      const wasRunning = isRunning(run)
      return Effect.map(stop(run), (code) => {
        if (wasRunning) assert.strictEqual(code, 0, `the ${program} does not stop well\n${stderr}`)
      })
    })
  )
  const { url } = run
  return {
    url,
    pid: () => run.child.pid ?? Number.NaN,
    stderr: () => stderr,
    stop: Effect.suspend(() => stop(run)),
    kill: Effect.promise(async () => {
      run.child.kill("SIGKILL")
      await run.ended
    }),
    start: (changes = {}) =>
      Effect.map(begin({ ...environment, PORT: new URL(url).port, ...changes }), (again) => {
        run = again
      })
  }
})
