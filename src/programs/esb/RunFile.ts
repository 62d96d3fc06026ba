/** `run.json`: where the stack of a home answers, for as long as it runs. Only its owner may read it. */
import { Effect, Schema } from "effect"
import { readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as ProcessIdentity from "./ProcessIdentity.ts"

const Run = Schema.Struct({
  version: Schema.Literal(1),
  /** The Gateway that runs now, and when it started. */
  pid: Schema.Int,
  startedAt: Schema.String,
  /** The `esb up` that keeps it running. */
  supervisor: ProcessIdentity.ProcessIdentity,
  /** Where it answers: `http://127.0.0.1:8080`. This and the next three are what an SDK needs. */
  gateway: Schema.String,
  region: Schema.String,
  accessKeyId: Schema.String,
  secretAccessKey: Schema.String,
  /** A bearer token for every door of the Gateway. */
  token: Schema.String,
  /** Absolute. */
  template: Schema.String
})
export type Run = typeof Run.Type

const RunText = Schema.fromJsonString(Run)

const pathIn = (home: string) => join(home, "run.json")

/** What the file says, whether or not that stack still runs; `undefined` when there is none that can be read. */
export const leftover = (home: string): Effect.Effect<Run | undefined> =>
  Effect.tryPromise(() => readFile(pathIn(home), "utf8")).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(RunText)),
    Effect.orElseSucceed(() => undefined)
  )

/** The stack that runs in this home now. */
export const read = (home: string): Effect.Effect<Run | undefined> =>
  Effect.map(leftover(home), (run) => (run !== undefined && ProcessIdentity.isAlive(run.supervisor) ? run : undefined))

export const write = (home: string, run: Run) =>
  Effect.promise(async () => {
    const fresh = `${pathIn(home)}.${process.pid}`
    await writeFile(fresh, `${JSON.stringify(run, null, 2)}\n`, { mode: 0o600 })
    await rename(fresh, pathIn(home))
  })

export const remove = (home: string) => Effect.promise(() => rm(pathIn(home), { force: true }))
