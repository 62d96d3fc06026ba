/** What a test reads from a worker: its results, its failures, and why it did not start. */
import { assert, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ClientWorker } from "./ClientWorker.ts"
import type { StartClient } from "./RuntimeClients.ts"

/** What became of a call. */
export type Outcome = Effect.Success<ReturnType<ClientWorker["invoke"]>>

/** JSON of an answer that has to be a result. */
export const resultOf = (outcome: Outcome): unknown => {
  if (outcome.kind !== "response") assert.fail(`${outcome.kind}: ${JSON.stringify(outcome).slice(0, 500)}`)
  return JSON.parse(outcome.body.toString())
}

export interface ErrorAnswer {
  readonly id: string
  readonly type: string | undefined
  readonly body: {
    readonly errorType: string
    readonly errorMessage: string
    readonly trace: ReadonlyArray<string>
    readonly requestId: string
    readonly stackTrace: ReadonlyArray<string>
  }
}

const ERROR_TYPE = "lambda-runtime-function-error-type"

/** An answer that has to be a failure, with the type from its header. */
export const errorOf = (outcome: Outcome): ErrorAnswer => {
  if (outcome.kind !== "error") return assert.fail(`${outcome.kind}: ${JSON.stringify(outcome).slice(0, 500)}`)
  return { id: outcome.id, type: String(outcome.headers[ERROR_TYPE]), body: JSON.parse(outcome.body.toString()) }
}

/** What a worker that could not start has told, and how it ended. */
export const initFailure = (worker: ClientWorker) =>
  Effect.gen(function* () {
    const exit = yield* worker.exit
    const told = worker.initError()
    assert.strictEqual(exit.code, 1)
    if (told === undefined) return assert.fail("nothing was posted to init/error")
    const body = JSON.parse(told.body.toString()) as ErrorAnswer["body"]
    assert.strictEqual(told.headers[ERROR_TYPE], body.errorType)
    return body
  })

/** A directory that goes with the test. */
export const temporary = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "esb-runtime-client-")))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

/** States one promise of a client. Its workers live as long as the test. */
export type Promises = (title: string, body: (start: StartClient) => Effect.Effect<void, unknown, Scope.Scope>) => void

export const promisesOf =
  (makeStart: () => Promise<StartClient>): Promises =>
  (title, body) =>
    it.live(title, () => Effect.scoped(Effect.flatMap(Effect.promise(makeStart), body)))
