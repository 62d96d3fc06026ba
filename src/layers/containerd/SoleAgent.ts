/**
 * One Agent for a stack and containerd: two would take each other's workers for leftovers, and remove them. A file beside
 * containerd's socket, where every Agent of it comes by, is locked for as long as this one lives; the kernel sees to the end of
 * that, also where the Agent is killed and wherever in a container it was.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Effect, Layer, Option, Schema } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import type { StackIdentity } from "#domain/StackIdentity"

/** Another Agent of the stack uses containerd. */
export class AnotherAgent extends Schema.TaggedError<AnotherAgent>()("AnotherAgent", {
  environment: Schema.String,
  /** Where it is. */
  where: Schema.String
}) {
  override get message() {
    const rule = `One Agent is enough for a stack (ENV is ${this.environment}) and its containerd`
    return `${rule}, and there is one ${this.where}: stop that one, or give this one another ENV or containerd.`
  }
}

const Holder = Schema.fromJsonString(Schema.Struct({ machine: Schema.String, home: Schema.String }))
const decode = Schema.decodeUnknownOption(Holder)
const encode = Schema.encodeSync(Holder)

/** Of SQLite, whose locks Node has and others it has not: somebody else has the file. */
const busy = 5

const isBusy = (error: unknown): boolean => error instanceof Error && "errcode" in error && error.errcode === busy

/** `undefined`: somebody else has it. The file is never removed: two could then have one each. */
const lock = (path: string): DatabaseSync | undefined => {
  const database = new DatabaseSync(path)
  try {
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE")
    return database
  } catch (error) {
    database.close()
    if (isBusy(error)) return undefined
    throw error
  }
}

/** The one that has the lock is perhaps just about to write who it is. */
const whereIs = (path: string): string => {
  try {
    return Option.match(decode(readFileSync(path, "utf8")), {
      onNone: () => "somewhere",
      onSome: ({ home, machine }) => `on ${machine}, whose ESB_HOME is ${home}`
    })
  } catch {
    return "somewhere"
  }
}

const take = Effect.fnUntraced(function* (directory: string, { environment }: StackIdentity, home: string) {
  const stem = join(directory, `agent-${encodeURIComponent(environment)}`)
  const held = yield* Effect.try({
    try: () => {
      mkdirSync(directory, { recursive: true, mode: 0o755 })
      const taken = lock(`${stem}.lock`)
      if (taken !== undefined) writeFileSync(`${stem}.json`, encode({ machine: hostname(), home }))
      return taken
    },
    catch: (cause) =>
      new RuntimeUnavailable({ detail: `the lock by which Agents know of each other: ${String(cause)}`, cause })
  })
  return held ?? (yield* new AnotherAgent({ environment, where: whereIs(`${stem}.json`) }))
})

/** Fails where there is another one. `directory` is where all Agents of the brand and its containerd meet; `home` holds this one's state. */
export const layer = (
  directory: string,
  identity: StackIdentity,
  home: string
): Layer.Layer<never, AnotherAgent | RuntimeUnavailable> =>
  Layer.effectDiscard(Effect.acquireRelease(take(directory, identity, home), (held) => Effect.sync(() => held.close())))
