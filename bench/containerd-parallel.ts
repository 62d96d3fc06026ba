/** How many containers of containerd can an Agent start in a second, four at a time, and how many can containerd alone? */
import { Effect, Layer } from "effect"
import type { OwnerId } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as ContainerdAlone from "./parts/ContainerdAlone.ts"
import * as ContainerdStack from "./parts/ContainerdStack.ts"
import { tellNumber, timed } from "./parts/Figures.ts"
import * as WarmWorker from "./parts/WarmWorker.ts"

const owner = "bench" as OwnerId
const starts = 24
const rounds = 4
const parallel = 4
const memoryMiB = 128

const perSecond = (ms: number): number => (starts / ms) * 1_000

const main = Effect.gen(function* () {
  const stack = yield* ContainerdStack.start({})
  const alone = yield* ContainerdAlone.make(stack, { handler: "index.rest", memoryMiB })
  const layers = yield* Layer.build(WarmWorker.byAgent(stack.agent))
  const run = Effect.runPromiseWith(layers)
  const spec = WarmWorker.specOf(stack.image, "index.rest")
  /** Ready for calls, each of them; and gone before the next round. */
  const byAgent = Effect.gen(function* () {
    const runtime = yield* ContainerRuntime
    const client = yield* WorkerClient
    const one = Effect.tap(runtime.ensure(spec, owner), client.ready)
    let ids: ReadonlyArray<{ readonly id: Parameters<typeof runtime.destroy>[0] }> = []
    const all = Effect.forEach(Array.from({ length: starts }), () => one, { concurrency: parallel })
    const ms = yield* Effect.promise(() => timed(async () => (ids = await run(all))))
    yield* Effect.forEach(ids, ({ id }) => runtime.destroy(id, owner), { concurrency: parallel, discard: true })
    return perSecond(ms)
  })
  const byContainerd = Effect.promise(async () => {
    const lane = async () => {
      for (let n = 0; n < starts / parallel; n++) await alone.start()
    }
    return perSecond(await timed(() => Promise.all(Array.from({ length: parallel }, lane))))
  })
  const [floor, through]: [Array<number>, Array<number>] = [[], []]
  for (let round = 0; round < rounds; round++) {
    floor.push(yield* byContainerd)
    through.push(yield* Effect.provide(byAgent, layers))
  }
  const median = (values: ReadonlyArray<number>) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
  const [bare, whole] = [median(floor), median(through)]
  tellNumber(`floor: containerd alone, ${parallel} at a time`, `${bare.toFixed(1)}/s, started`)
  tellNumber(`by the Agent, ${parallel} at a time`, `${whole.toFixed(1)}/s, ready for calls  (bar: ≥ 10/s)`)
  tellNumber("ratio of the medians", (whole / bare).toFixed(2))
})

await ContainerdStack.ask("containers of containerd, started four at a time, networks included", main)
