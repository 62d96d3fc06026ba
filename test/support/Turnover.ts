/** Workers of an Agent that come and go by the hundred, of which nothing is to stay. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { OwnerId, type Worker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import type * as AgentStack from "./AgentStack.ts"
import { eventually } from "./Eventually.ts"
import * as FarAgent from "./FarAgent.ts"
import { specOf } from "./WorkerFunctions.ts"

export const owner = OwnerId.make("gateway-mine")
/** A thousand are the promise, and take some minutes; so many show what each of them would leave. */
export const cycles = Number(process.env["ESB_LEAK_CYCLES"] ?? 100)
export const limitMs = 120_000 + cycles * 1_000
const parallel = 4
/** Connections that are kept for the next request, of which there may be one more or less at any time. */
const spareFiles = 2 * parallel

export interface Turnover<E, R> {
  readonly agent: AgentStack.Agent
  readonly image: string
  /** What else is done with the n-th of them. */
  readonly visit: (worker: Worker, n: number) => Effect.Effect<void, E, R>
  /** Comes before those that count, when all is there that is made but once. */
  readonly before: Effect.Effect<void, E, R>
  /** How many everybody has who has to do with workers. */
  readonly openFiles: () => Readonly<Record<string, number>>
}

/** Of an Agent without TLS. */
export const run = Effect.fnUntraced(
  function* <E, R>({ before, image, openFiles, visit }: Turnover<E, R>) {
    const runtime = yield* ContainerRuntime
    const client = yield* WorkerClient
    const cycle = Effect.fnUntraced(function* (n: number) {
      const worker = yield* runtime.ensure(specOf(image, "index.echo"), owner)
      // Some are given up before they are ready.
      if (n % 5 > 0) yield* client.ready(worker)
      yield* visit(worker, n)
      yield* runtime.destroy(worker.id, owner)
    })
    const several = (count: number) =>
      Effect.forEach(
        Array.from({ length: count }, (_, n) => n),
        cycle,
        { concurrency: parallel, discard: true }
      )

    yield* several(2 * parallel)
    yield* before
    const had = openFiles()
    const [took] = yield* Effect.timed(several(cycles))
    yield* Effect.log(`${cycles} cycles, ${parallel} at a time, in ${String(took)}`)
    yield* eventually("open files", Effect.sync(openFiles), (have) =>
      Object.entries(have).every(([who, count]) => count <= (had[who] ?? 0) + spareFiles)
    )
    assert.deepStrictEqual(yield* runtime.list(owner), [])
  },
  (turnover, { agent }) => turnover.pipe(Effect.scoped, Effect.provide(FarAgent.layer(agent.address, owner)))
)
