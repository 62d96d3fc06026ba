/** How workers are measured whose files in the kernel are out of sight, as from an Agent in a container. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import { createServer } from "node:http"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { ContainerId, type Phase } from "#domain/Worker"
import * as WorkerMeter from "#layers/containers/WorkerMeter"
import * as ContainerMeter from "#layers/docker/ContainerMeter"
import * as Docker from "#layers/docker/DockerApi"
import { eventually } from "#test/support/Eventually"
import { temporaryDirectory } from "#test/support/ProcessWorkers"

const slownessMs = 40

/** An engine that takes its time over statistics, as all do, and counts who asks for them. */
const statistician = Effect.acquireRelease(
  Effect.promise(async () => {
    const asked = new Map<string, number>()
    const load = { now: 0, most: 0 }
    const server = createServer(async (request, response) => {
      const [name = ""] = /[^/]+(?=\/stats)/.exec(request.url ?? "") ?? []
      asked.set(name, (asked.get(name) ?? 0) + 1)
      load.most = Math.max(load.most, ++load.now)
      await sleep(slownessMs)
      load.now--
      response.writeHead(200, { "content-type": "application/json" }).end(
        JSON.stringify({
          memory_stats: { usage: 50_000_000, failcnt: 0, stats: { inactive_file: 10_000_000 } },
          cpu_stats: { cpu_usage: { total_usage: 1_000 } }
        })
      )
    })
    const socketPath = join(temporaryDirectory(), "engine.sock")
    server.listen(socketPath)
    await once(server, "listening")
    return { server, socketPath, asked, load }
  }),
  ({ server }) =>
    Effect.promise(() => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    })
)

const meters = ContainerMeter.make(() => assert.fail("nothing is in sight, and so nothing is missed"))

const workerNamed = (name: string) => {
  const seen = { calls: 0, memoryBytes: 0 }
  const door = {
    callCount: () => seen.calls,
    measured: (bytes: number) => {
      seen.memoryBytes = Math.max(seen.memoryBytes, bytes)
    }
  }
  return { seen, container: { name, door, cgroup: undefined } }
}

it.live("Workers out of sight are asked for one at a time while they are in use, and idle ones once", () =>
  Effect.gen(function* () {
    const { asked, load, socketPath } = yield* statistician
    yield* Effect.gen(function* () {
      const meter = yield* meters
      const workers = new Map(
        ["busy", "idle", "idler"].map((name) => {
          const { container, seen } = workerNamed(name)
          const measured = {
            ...container,
            exit: undefined,
            measure: meter.measure(container),
            isDearToMeasure: () => meter.isDear(container)
          }
          const worker = { id: ContainerId.make(name) }
          return [worker.id, { seen, worker, isPaused: false, container: measured }]
        })
      )
      const phaseOf = (id: ContainerId): Phase => (id === "busy" ? "busy" : "idle")
      const isEnough = eventually(
        "the busy one is asked for again and again",
        Effect.sync(() => asked.get("busy") ?? 0),
        (count) => count >= 4
      )
      yield* Effect.raceFirst(WorkerMeter.watch(workers, phaseOf, 10), isEnough)
      assert.strictEqual(load.most, 1)
      assert.strictEqual(asked.get("idle"), 1)
      assert.strictEqual(asked.get("idler"), 1)
      for (const { seen } of workers.values()) assert.strictEqual(seen.memoryBytes, 40_000_000)
    }).pipe(Effect.provide(Docker.layer({ socketPath })))
  }).pipe(Effect.scoped)
)

it.live("Whoever wants to know of an idle worker out of sight is told what was seen last", () =>
  Effect.gen(function* () {
    const { asked, socketPath } = yield* statistician
    yield* Effect.gen(function* () {
      const meter = yield* meters
      const { container, seen } = workerNamed("one")
      const first = yield* meter.usage(container)
      assert.deepStrictEqual(yield* meter.usage(container), first)
      assert.strictEqual(asked.get("one"), 1)
      seen.calls++
      yield* meter.usage(container)
      assert.strictEqual(asked.get("one"), 2)
    }).pipe(Effect.provide(Docker.layer({ socketPath })))
  }).pipe(Effect.scoped)
)
