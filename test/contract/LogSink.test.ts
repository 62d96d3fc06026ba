import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import * as MemoryLogSink from "#layers/memory/MemoryLogSink"
import * as Sqlite from "#layers/sqlite/Sqlite"
import * as SqliteLogSink from "#layers/sqlite/SqliteLogSink"
import { suite } from "./LogSinkContract.ts"

const scratch = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-log-sink-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

suite("memory", MemoryLogSink.layer)

suite("SQLite", (retention = {}) =>
  Layer.unwrap(
    Effect.map(scratch, (stateDirectory) =>
      SqliteLogSink.layer({ stateDirectory, retention }).pipe(Layer.provide(Sqlite.layer))
    )
  )
)
