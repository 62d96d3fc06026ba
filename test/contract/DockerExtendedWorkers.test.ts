/** Workers of a Docker Engine whose images bring external extensions. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { fileURLToPath } from "node:url"
import { OwnerId } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as BaseImages from "#test/support/BaseImages"
import { docker } from "#test/support/DockerImages"
import * as DockerWorkers from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as RecordedLog from "#test/support/RecordedLog"
import { specOf } from "#test/support/WorkerFunctions"
import { call } from "./ContainerRuntimeContract.ts"

const mine = OwnerId.make("gateway-mine")
const shutdownGraceMs = 4_000

const sample = (path: string) => fileURLToPath(new URL(`../samples/${path}`, import.meta.url))

/** A worker with an extension that writes what it hears to the log. */
const started = Effect.fnUntraced(function* (environment: Readonly<Record<string, string>> = {}) {
  const runtime = yield* ContainerRuntime
  const client = yield* WorkerClient
  const more = { "opt/extensions/agent": { from: sample("workers/layer/extensions/agent") } }
  const image = yield* Effect.promise(() =>
    BaseImages.image("our node", { task: sample("images/node"), handler: "app.handler", more })
  )
  const spec = specOf(image, "app.handler", { environment: { EVENTS_FILE: "/dev/stdout", ...environment } })
  const worker = yield* runtime.ensure(spec, mine)
  yield* client.ready(worker)
  return worker
})

const told = (log: RecordedLog.RecordedLog) => log.records.map(({ message }) => message)

describe(
  "a worker whose image has an extension",
  { ...needs(...BaseImages.peers["our node"]), timeout: 60_000 },
  () => {
    for (const [title, isPaused] of [
      ["tells it of calls and of its end, and waits no longer than that takes", false],
      ["wakes it for its end", true]
    ] as const) {
      it.live(title, () => {
        const log = RecordedLog.make()
        return Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const client = yield* WorkerClient
          const worker = yield* started()
          const invocation = call(worker, { do: "echo", event: 1 })
          yield* client.send(worker, invocation)
          yield* eventually(
            "the extension has heard of the call",
            Effect.sync(() => told(log)),
            (lines) => lines.includes(`INVOKE ${invocation.requestId}`)
          )
          // The kernel of a machine that has too much to do does not freeze everything at the first try.
          if (isPaused)
            yield* Effect.retry(runtime.suspend(worker.id, mine), { times: 10, schedule: Schedule.spaced(200) })
          const from = performance.now()
          yield* runtime.destroy(worker.id, mine)
          assert.isBelow(performance.now() - from, shutdownGraceMs)
          assert.include(told(log), "SHUTDOWN spindown")
          assert.deepStrictEqual(yield* runtime.list(mine), [])
        }).pipe(Effect.provide(DockerWorkers.layer({ log, docker: { shutdownGraceMs } })))
      })
    }

    it.live("is stopped when the extension ends, and its call is told so", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const client = yield* WorkerClient
        const worker = yield* started({ AGENT_CRASHES: "1" })
        const failure = yield* Effect.flip(client.send(worker, call(worker, { do: "hang" })))
        if (failure._tag !== "WorkerExited") return assert.fail(failure.message)
        assert.strictEqual(failure.errorType, "Extension.Crash")
        assert.deepInclude((yield* runtime.list(mine))[0], { status: "STOPPED", phase: "dirty" })
        assert.deepInclude(yield* runtime.metrics(worker.id, mine), { status: "STOPPED", exitCode: 5 })
        yield* runtime.destroy(worker.id, mine)
      }).pipe(Effect.provide(DockerWorkers.layer()))
    )

    it.live("is not taken over by the next Agent, whose door its extension does not know", () =>
      Effect.gen(function* () {
        const options = { stack: yield* DockerWorkers.lastingStack(), leavesWorkers: true }
        const { name } = yield* started().pipe(Effect.provide(DockerWorkers.layer(options)))
        const left = docker("ps", "--all", "--quiet", "--filter", `name=^/${name}$`)
        assert.notStrictEqual(yield* left, "")
        const listed = Effect.flatMap(ContainerRuntime, (runtime) => runtime.list(mine))
        assert.deepStrictEqual(yield* listed.pipe(Effect.provide(DockerWorkers.layer(options))), [])
        assert.strictEqual(yield* left, "")
      }).pipe(Effect.scoped)
    )
  }
)
