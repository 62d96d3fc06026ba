/** The process engine with everything it needs, under a temporary directory. */
import { afterAll } from "@effect/vitest"
import { Effect, Layer, References } from "effect"
import { build } from "esbuild"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as MemoryArtifactStore from "#layers/memory/MemoryArtifactStore"
import * as ProcessContainerRuntime from "#layers/process/ProcessContainerRuntime"
import type { ProcessOptions } from "#layers/process/ProcessSettings"
import type { DoorSettings } from "#layers/runtime-api/DoorSettings"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import * as LocalWorkerClient from "#layers/runtime-api/LocalWorkerClient"
import * as RecordedLog from "./RecordedLog.ts"

const clients = fileURLToPath(new URL("../../src/layers/process/clients", import.meta.url))

let root: string | undefined

/** A new directory; removed at the end of the test file. */
export const temporaryDirectory = (): string => {
  root ??= mkdtempSync(join(tmpdir(), "esb-ProcessWorkers-"))
  return mkdtempSync(join(root, "directory-"))
}

try {
  afterAll(() => {
    if (root !== undefined) rmSync(root, { recursive: true, force: true })
  })
} catch {
  // Not a test but a program of one, which removes what its programs leave.
}

let prepared: Promise<string> | undefined

/** Our runtime clients as `npm run build` lays them out, made once per test file. */
export const clientsDirectory = (): Promise<string> =>
  (prepared ??= (async () => {
    const path = join(temporaryDirectory(), "clients")
    mkdirSync(path)
    symlinkSync(join(clients, "python"), join(path, "python"))
    await build({
      entryPoints: [join(clients, "node/main.ts")],
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node18",
      outfile: join(path, "node.mjs")
    })
    return path
  })())

export interface Options {
  readonly stateDirectory?: string
  readonly process?: Partial<ProcessOptions>
  readonly door?: Partial<DoorSettings>
  readonly log?: RecordedLog.RecordedLog
}

/** Engine, its doors, the client that reaches them and the store the code comes from. */
export const layer = (options: Options = {}) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => clientsDirectory()),
      (clientsDirectory) =>
        Layer.mergeAll(
          ProcessContainerRuntime.layer({
            identity: { brand: "esb", environment: "test" },
            stateDirectory: options.stateDirectory ?? temporaryDirectory(),
            clientsDirectory,
            ...options.process
          }),
          LocalWorkerClient.layer
        ).pipe(
          Layer.provideMerge(LambdaRuntimeApi.layer(options.door)),
          Layer.provideMerge(MemoryArtifactStore.layer),
          Layer.provide((options.log ?? RecordedLog.make()).layer),
          Layer.provide(Layer.succeed(References.MinimumLogLevel, "Warn"))
        )
    )
  )
