/**
 * What does an idle worker in a container of containerd really cost: what only it has in memory, what the kernel keeps for it, and
 * its share of whoever looks after it? With a shim of its own, and with one for all.
 */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { Effect, Layer } from "effect"
import type { OwnerId } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as ContainerdStack from "./parts/ContainerdStack.ts"
import { tellNumber } from "./parts/Figures.ts"
import * as WarmWorker from "./parts/WarmWorker.ts"

const owner = "bench" as OwnerId
const workers = 20
const settleMs = 2_000
const mebibyte = 1_048_576

const text = (path: string): string => readFileSync(path, "utf8")
const field = (content: string, name: string): number =>
  Number(new RegExp(`^${name}:?\\s+(\\d+)`, "m").exec(content)?.[1] ?? 0)

/** Bytes that would be free without it: pages of files are shared by all workers of an image, and are the kernel's to drop. */
const workerBytes = (pid: number): number => {
  const groups = text(`/proc/${pid}/cgroup`)
  const first = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(groups)?.[1]
  if (first !== undefined) {
    const directory = `/sys/fs/cgroup/memory${first}`
    const counted = text(`${directory}/memory.stat`)
    return field(counted, "total_rss") + Number(text(`${directory}/memory.kmem.usage_in_bytes`))
  }
  const counted = text(`/sys/fs/cgroup${/^0::(.*)$/m.exec(groups)?.[1] ?? ""}/memory.stat`)
  return field(counted, "anon") + field(counted, "kernel")
}

/** Its share of what it has in memory with others. */
const proportionalBytes = (pid: number): number => field(text(`/proc/${pid}/smaps_rollup`), "Pss") * 1_024

const parentOf = (pid: number): number => field(text(`/proc/${pid}/status`), "PPid")

const measure = Effect.fnUntraced(function* (sharesShim: boolean) {
  const stack = yield* ContainerdStack.start({}, { CONTAINERD_SHARED_SHIM: String(sharesShim) })
  const layers = yield* Layer.build(WarmWorker.byAgent(stack.agent))
  const spec = WarmWorker.specOf(stack.image, "index.rest")
  const one = Effect.gen(function* () {
    const runtime = yield* ContainerRuntime
    const client = yield* WorkerClient
    const worker = yield* runtime.ensure(spec, owner)
    yield* client.ready(worker)
    yield* client.send(worker, WarmWorker.invocation(new TextEncoder().encode("{}")))
  })
  yield* Effect.provide(
    Effect.forEach(Array.from({ length: workers }), () => one, { concurrency: 4, discard: true }),
    layers
  )
  yield* Effect.promise(() => sleep(settleMs))
  const pids = (yield* Effect.promise(stack.tasks)).map(({ pid }) => pid)
  const shims = new Set(pids.map(parentOf))
  const each = (bytes: Iterable<number>): number =>
    [...bytes].reduce((sum, more) => sum + more, 0) / pids.length / mebibyte
  const [own, care] = [each(pids.map(workerBytes)), each([...shims].map(proportionalBytes))]
  const bar = sharesShim ? 10 : 13
  tellNumber(
    sharesShim ? "a shim for all" : "a shim each",
    `${(own + care).toFixed(1)} MiB each: worker and kernel ${own.toFixed(1)}, shim ${care.toFixed(1)}; ` +
      `${pids.length} workers, ${shims.size} shims  (bar: ≤ ${bar} MiB)`
  )
})

/** The interpreter alone, of which nothing can be saved: it listens, and does nothing else. */
const interpreterBytes = Effect.acquireUseRelease(
  Effect.sync(() => spawn(process.execPath, ["-e", "require('http').createServer().listen(0)"], { env: {} })),
  ({ pid = 0 }) =>
    Effect.promise(async () => {
      await sleep(settleMs)
      return field(text(`/proc/${pid}/smaps_rollup`), "Pss_Anon") * 1_024
    }),
  (child) => Effect.sync(() => child.kill("SIGKILL"))
)

const main = Effect.gen(function* () {
  tellNumber("floor: Node that listens, on the machine", `${((yield* interpreterBytes) / mebibyte).toFixed(1)} MiB`)
  for (const sharesShim of [false, true]) yield* Effect.scoped(measure(sharesShim))
})

await ContainerdStack.ask(`memory of an idle worker in a container of containerd, Node, after one call`, main)
