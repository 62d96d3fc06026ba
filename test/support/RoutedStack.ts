/** A stack of one of the samples, started as a user starts it, and what a test does with it from outside. */
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import * as Cli from "./Cli.ts"
import * as HttpCaller from "./HttpCaller.ts"
import * as Processes from "./Processes.ts"

export interface Options {
  /** A directory of `test/samples`; the stack runs a copy, which a test may change. */
  readonly sample: string
  /** Settings of `esb up` and of the Gateway. */
  readonly environment?: Readonly<Record<string, string>>
  /** Changes the copy before the stack starts. */
  readonly prepare?: (directory: string) => void
}

export interface Running extends Cli.Up {
  readonly directory: string
  readonly ask: (question: HttpCaller.Question) => Effect.Effect<HttpCaller.Answer, HttpCaller.NoAnswer>
  /** The same with the token of the stack. */
  readonly askWithToken: (question: HttpCaller.Question) => Effect.Effect<HttpCaller.Answer, HttpCaller.NoAnswer>
  /** A command of `esb` on this stack. */
  readonly esb: (...args: ReadonlyArray<string>) => Effect.Effect<Cli.Ended>
}

/** The stack that the tests of one block share. */
export class RoutedStack extends Context.Service<RoutedStack, Running>()("esb/test/RoutedStack") {}

const samples = fileURLToPath(new URL("../samples", import.meta.url))

/** How long what a stack leaves behind may take to be gone. */
const goneWithinMs = 3_000

/** A directory that goes with its scope. Nothing that ran in it may be left by then. */
export const copyOf = ({ prepare, sample }: Pick<Options, "prepare" | "sample">) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const directory = mkdtempSync(join(tmpdir(), `esb-${sample}-`))
      cpSync(join(samples, sample), directory, { recursive: true })
      prepare?.(directory)
      return directory
    }),
    Effect.fnUntraced(function* (directory) {
      yield* Processes.allGone(directory, goneWithinMs)
      rmSync(directory, { recursive: true, force: true })
    })
  )

const stoppedWell = ({ child, stderr }: Cli.Up): void =>
  assert.strictEqual(child.exitCode, 0, `esb up was ended by ${child.signalCode ?? "itself"}\n${stderr()}`)

/** The stack of a directory: runs until the scope ends, and then must stop well. */
export const start = Effect.fnUntraced(function* (
  directory: string,
  environment: Readonly<Record<string, string>> = {}
): Effect.fn.Return<Running, never, Scope.Scope> {
  const started: Array<Cli.Up> = []
  yield* Effect.addFinalizer(() => Effect.sync(() => started.forEach(stoppedWell)))
  const up = yield* Cli.up(directory, [], environment)
  started.push(up)
  const ask = (question: HttpCaller.Question) => HttpCaller.ask(up.ready.gateway, question)
  return {
    ...up,
    directory,
    ask,
    askWithToken: (question) =>
      ask({ ...question, headers: { authorization: `Bearer ${up.ready.token}`, ...question.headers } }),
    esb: (...args) => Cli.esb(args, { cwd: directory })
  }
})

/** A stack in a copy of its sample. */
export const make = (options: Options): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.flatMap(copyOf(options), (directory) => start(directory, options.environment))

export const layer = (options: Options): Layer.Layer<RoutedStack> => Layer.effect(RoutedStack, make(options))

/** For `it.layer`: real sockets, processes and time. */
export const live = { timeout: "30 seconds", excludeTestServices: true } as const
