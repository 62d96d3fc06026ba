/** What extensions in containers of containerd promise beyond every other engine's. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import { OwnerId } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as BaseImages from "#test/support/BaseImages"
import { containerdEngine as engine, EngineMachine } from "#test/support/ContainerEngines"
import { tasks } from "#test/support/ContainerdSamples"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as ImageTree from "#test/support/ImageTree"
import * as RecordedLog from "#test/support/RecordedLog"
import { specOf } from "#test/support/WorkerFunctions"

const mine = OwnerId.make("gateway-mine")

const sample = (path: string) => fileURLToPath(new URL(`../samples/${path}`, import.meta.url))

/** A worker with an extension that registers, and then does what its shell is told. */
const started = Effect.fnUntraced(function* (...then: ReadonlyArray<string>) {
  const runtime = yield* ContainerRuntime
  const client = yield* WorkerClient
  const { take } = yield* EngineMachine
  const script = ["#!/bin/sh", "/opt/extensions/lib/agent &", ...then, ""].join("\n")
  const more = {
    "opt/extensions/agent": ImageTree.script(script),
    "opt/extensions/lib/agent": { from: sample("workers/layer/extensions/agent") }
  }
  const reference = yield* Effect.promise(() =>
    BaseImages.image("our node", { task: sample("images/node"), handler: "app.handler", more })
  )
  const environment = { EVENTS_FILE: "/dev/stdout" }
  const worker = yield* runtime.ensure(specOf(yield* take(reference), "app.handler", { environment }), mine)
  yield* client.ready(worker)
  return worker
})

const needed = needs(...BaseImages.peers["our node"], ...engine.needs)

describe("extensions in containers of containerd", { ...needed, timeout: 60_000 }, () => {
  it.layer(engine.machine, { timeout: "60 seconds", excludeTestServices: true })((it) => {
    it.effect("are heard of although they end while containerd is away", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const { start, stop } = yield* ContainerdWorkers.Machine
        const worker = yield* started("sleep 3", "exit 6")
        yield* stop
        yield* Effect.sleep(3_500)
        yield* start
        yield* eventually("the worker has ended", runtime.list(mine), ([state]) => state?.status === "STOPPED")
        assert.deepInclude(yield* runtime.metrics(worker.id, mine), { status: "STOPPED", exitCode: 6 })
        yield* runtime.destroy(worker.id, mine)
      }).pipe(Effect.provide(engine.run()))
    )

    it.effect("take a container with them that its owner has frozen before they were missed", () => {
      const log = RecordedLog.make()
      return Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const worker = yield* started("sleep 2", "echo leaves", "kill -9 $$")
        yield* eventually(
          "the extension is about to leave",
          Effect.sync(() => log.records),
          (records) => records.some(({ message }) => message === "leaves")
        )
        // It is dead in no time; for a while it is believed that its container has taken it along.
        yield* Effect.sleep(50)
        // Where the machine was busy for longer than that, there is nothing left to freeze.
        yield* Effect.exit(runtime.suspend(worker.id, mine))
        yield* eventually("the worker has ended", runtime.list(mine), ([state]) => state?.status === "STOPPED")
        assert.deepInclude(yield* runtime.metrics(worker.id, mine), { status: "STOPPED", exitCode: 137 })
        yield* runtime.destroy(worker.id, mine)
      }).pipe(Effect.provide(ContainerdWorkers.onMachine({ log })))
    })

    it.effect("are started in containers that were made ahead", () => {
      const log = RecordedLog.make()
      return Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const first = yield* started("sleep 100")
        const prepared = Effect.map(tasks, (all) => all.filter(({ state }) => state === "CREATED"))
        const [ahead] = yield* eventually("one is made ahead", prepared, ({ length }) => length === 1)
        // What is found there now is not what was just made.
        assert.strictEqual(yield* runtime.gc(() => false), 0)
        const second = yield* started("sleep 100")
        assert.strictEqual(second.name, ahead?.name)
        for (const { id } of [first, second]) yield* runtime.destroy(id, mine)
        assert.strictEqual(log.records.filter(({ message }) => message === "SHUTDOWN spindown").length, 2)
      }).pipe(Effect.provide(ContainerdWorkers.onMachine({ log, containerd: { preparedPerSpec: 1 } })))
    })
  })
})
