import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import * as MemoryEventQueue from "#layers/memory/MemoryEventQueue"
import * as Sqlite from "#layers/sqlite/Sqlite"
import * as SqliteEventQueue from "#layers/sqlite/SqliteEventQueue"
import { suite } from "./EventQueueContract.ts"

const scratch = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-event-queue-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

suite("memory", MemoryEventQueue.layer)

suite("SQLite", (limits = {}) =>
  Layer.unwrap(
    Effect.map(scratch, (stateDirectory) =>
      SqliteEventQueue.layer({ stateDirectory, limits }).pipe(Layer.provide(Sqlite.layer))
    )
  )
)
