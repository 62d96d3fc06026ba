/** `run.json`: where the stack of a home answers, and what runs it, for as long as it runs. Only its owner may read it. */
import { Effect, Schema } from "effect"
import { readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as ProcessIdentity from "./ProcessIdentity.ts"

/** What commands need to speak to it, whatever runs it. */
const reach = {
  version: Schema.Literal(1),
  /** Where it answers: `http://127.0.0.1:8080`. This and the next three are what an SDK needs. */
  gateway: Schema.String,
  region: Schema.String,
  accessKeyId: Schema.String,
  secretAccessKey: Schema.String,
  /** A bearer token for every door of the Gateway. */
  token: Schema.String,
  /** Absolute. */
  template: Schema.String
}

/** A stack of child processes, for as long as the `esb up` that started them lives. */
const EmbeddedRun = Schema.Struct({
  mode: Schema.Literal("embedded"),
  ...reach,
  /** The Gateway that runs now, and when it started. */
  pid: Schema.Int,
  startedAt: Schema.String,
  /** The `esb up` that keeps it running. */
  supervisor: ProcessIdentity.ProcessIdentity
})
export type EmbeddedRun = typeof EmbeddedRun.Type

/** What starts the workers of a stack in containers. */
export const containerModes = ["docker", "containerd"] as const
export type ContainerMode = (typeof containerModes)[number]

/** A stack of containers, which a Docker Engine keeps running until `esb down`. */
const ContainerRun = Schema.Struct({
  mode: Schema.Literals(containerModes),
  ...reach,
  /** PEM file of the authority that the Gateway is certified by. */
  authority: Schema.String,
  /** The project of Compose, with which the names of all containers, networks and volumes begin. */
  project: Schema.String,
  /** Together they are the identity of the stack, by which its workers are labelled. */
  brand: Schema.String,
  environment: Schema.String,
  /** The registry of the stack as the engine and this machine reach it: `127.0.0.1:5010`. */
  registry: Schema.String,
  /** The same as the Agent names it to what starts workers: `registry:5010`; absent where that is the same name. */
  agentRegistry: Schema.optionalKey(Schema.String),
  /** The engine: `unix:///var/run/docker.sock`. */
  engine: Schema.String,
  composeFiles: Schema.Array(Schema.String),
  environmentFile: Schema.String
})
export type ContainerRun = typeof ContainerRun.Type

const Run = Schema.Union([EmbeddedRun, ContainerRun])
export type Run = typeof Run.Type

export const isInContainers = (run: Run | undefined): run is ContainerRun =>
  run !== undefined && run.mode !== "embedded"

const RunText = Schema.fromJsonString(Run)

const pathIn = (home: string) => join(home, "run.json")

const readAt = (path: string): Effect.Effect<Run | undefined> =>
  Effect.tryPromise(() => readFile(path, "utf8")).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(RunText)),
    Effect.orElseSucceed(() => undefined)
  )

/** What the file says, whether or not that stack still runs; `undefined` when there is none that can be read. */
export const leftover = (home: string): Effect.Effect<Run | undefined> => readAt(pathIn(home))

/**
 * The stack that runs in this home now. Of one in containers the file says only that nobody has taken it down: whether it
 * answers is asked of its Gateway, and whether it runs of its engine.
 */
export const read = (home: string): Effect.Effect<Run | undefined> =>
  Effect.map(leftover(home), (run) =>
    run?.mode === "embedded" && !ProcessIdentity.isAlive(run.supervisor) ? undefined : run
  )

export const write = (home: string, run: Run) =>
  Effect.promise(async () => {
    const fresh = `${pathIn(home)}.${process.pid}`
    await writeFile(fresh, `${JSON.stringify(run, null, 2)}\n`, { mode: 0o600 })
    await rename(fresh, pathIn(home))
  })

const retiredIn = (home: string) => join(home, "last-run.json")

/** The stack was taken down and its data was kept: what the file said is needed once more to remove that. */
export const retire = (home: string) => Effect.promise(() => rename(pathIn(home), retiredIn(home)))

/** The stack that was taken down last. */
export const retired = (home: string) => readAt(retiredIn(home))

export const forgetRetired = (home: string) => Effect.promise(() => rm(retiredIn(home), { force: true }))

export const remove = (home: string) => Effect.promise(() => rm(pathIn(home), { force: true }))
