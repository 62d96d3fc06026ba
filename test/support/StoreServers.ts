/** Servers of the DynamoDB and S3 APIs on loopback, none of them ours. Each goes with its scope. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import type { Server } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Redacted } from "effect"
import type { Options } from "#layers/aws/AwsClient"
import * as S3BucketStore from "#layers/aws/S3BucketStore"
import { BucketStore } from "#services/BucketStore"
import { pathOf } from "./Engines.ts"
import { eventually } from "./Eventually.ts"
import * as FreePort from "./FreePort.ts"

/** Neither of them brings types. */
const require = createRequire(import.meta.url)
const dynalite = require("dynalite") as (options: { readonly createTableMs: number }) => Server
const S3rver = require("s3rver") as new (options: {
  readonly address: string
  readonly port: number
  readonly silent: boolean
  readonly directory: string
}) => { run(): Promise<AddressInfo>; close(): Promise<void> }

const at = (port: number, accessKeyId: string, secret: string): Options => ({
  endpoint: `http://127.0.0.1:${port}`,
  region: "us-east-1",
  accessKeyId,
  secretAccessKey: Redacted.make(secret)
})

const closed = (server: Server) =>
  Effect.promise(async () => {
    server.closeAllConnections()
    if (server.listening) await new Promise((done) => server.close(done))
  })

export const listening = (server: Server, port = 0) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      server.listen(port, "127.0.0.1")
      await once(server, "listening")
      return (server.address() as AddressInfo).port
    }),
    () => closed(server)
  )

/** A new table takes 200 ms to become `ACTIVE`. Any key is good. */
export const tables = (port?: number) =>
  Effect.map(listening(dynalite({ createTableMs: 200 }), port), (bound) => at(bound, "esb", "esbsecret"))

const directory = (name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), name))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  )

/** Has no lifecycle rules: it answers 501 when asked for them. */
export const bucketsWithoutLifecycle = Effect.gen(function* () {
  const path = yield* directory("esb-s3rver-")
  const { port } = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const server = new S3rver({ address: "127.0.0.1", port: 0, silent: true, directory: path })
      return { server, port: (await server.run()).port }
    }),
    ({ server }) => Effect.promise(() => server.close())
  )
  return at(port, "S3RVER", "S3RVER")
})

/** MinIO, for tests that `needs("minio")`. */
export const buckets = Effect.gen(function* () {
  const path = yield* directory("esb-minio-")
  const port = yield* FreePort.find
  const options = at(port, "esb-minio", "esbsecret")
  const environment = { MINIO_ROOT_USER: "esb-minio", MINIO_ROOT_PASSWORD: "esbsecret", MINIO_BROWSER: "off" }
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(pathOf("minio"), ["server", "--quiet", "--address", `127.0.0.1:${port}`, path], {
        env: { ...process.env, ...environment },
        stdio: "ignore"
      })
    ),
    (child) =>
      Effect.promise(async () => {
        if (child.exitCode !== null) return
        child.kill("SIGKILL")
        await once(child, "exit")
      })
  )
  // It says that it is ready, makes buckets, and still does not know their rules for a while.
  const look = Effect.flatMap(BucketStore, ({ lifecycle }) => Effect.flip(lifecycle("esb-none"))).pipe(
    Effect.map(({ _tag }) => _tag),
    Effect.provide(S3BucketStore.layer(options))
  )
  yield* eventually("MinIO is ready", look, (tag) => tag === "BucketNotFound", 20_000)
  return options
})
