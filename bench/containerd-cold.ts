/**
 * How long does the first call of a function in a container of containerd take, through Gateway and Agent, and how much of it is
 * containerd's own? Where nothing is ready but a network, and where the container was made ahead.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { Effect } from "effect"
import * as ContainerdAlone from "./parts/ContainerdAlone.ts"
import * as ContainerdStack from "./parts/ContainerdStack.ts"
import { figure, tell, tellNumber, timed } from "./parts/Figures.ts"

const rounds = 20
const memoryMiB = 256
const handler = "index.rest"
/** Long enough that networks and containers which were taken are made anew, and for the machine to be quiet again. */
const settleMs = 900
const busy = JSON.stringify({ ms: 600 })

const main = Effect.gen(function* () {
  const entry = { handler, timeout: 10, memory_size: memoryMiB, scaling: { max_capacity: 2 } }
  const functions = Object.fromEntries(Array.from({ length: rounds + 1 }, (_, n) => [`f${n}`, entry]))
  const stack = yield* ContainerdStack.start(functions, { PREPARED_WORKERS: "1", PREPARED_WORKERS_TOTAL: "1" })
  const alone = yield* ContainerdAlone.make(stack, { handler, memoryMiB })
  const samples = { bare: [], whole: [], barePrepared: [], wholePrepared: [] } as Record<string, Array<number>>
  const measure = async (round: number) => {
    const prepared = await alone.prepare()
    await sleep(settleMs)
    const bare = await alone.coldStart()
    await sleep(settleMs)
    const whole = await timed(() => stack.invoke(`f${round}`, "{}"))
    await sleep(settleMs)
    const barePrepared = await alone.preparedStart(prepared)
    await sleep(settleMs)
    // Its worker is in a call, so that the next call needs another.
    const first = stack.invoke(`f${round}`, busy)
    await sleep(100)
    const wholePrepared = await timed(() => stack.invoke(`f${round}`, "{}"))
    await first
    // Nothing is warm in the first round.
    if (round > 0)
      for (const [name, ms] of Object.entries({ bare, whole, barePrepared, wholePrepared })) samples[name]?.push(ms)
  }
  for (let round = 0; round <= rounds; round++) yield* Effect.promise(() => measure(round))
  const compare = (
    what: string,
    floor: ReadonlyArray<number> = [],
    through: ReadonlyArray<number> = [],
    bar: string
  ) => {
    const [bare, whole] = [
      figure(`floor: containerd alone, ${what}`, floor),
      figure(`through the Gateway, ${what}`, through)
    ]
    tell(bare)
    tell(whole)
    const added = `${(whole.p50 / bare.p50).toFixed(2)} of the floor, ${(whole.p50 - bare.p50).toFixed(1)} ms more`
    tellNumber("  the medians", `${added}  (bar: ≤ ${bar})`)
  }
  compare("a network ready", samples["bare"], samples["whole"], "80 ms")
  compare("made ahead", samples["barePrepared"], samples["wholePrepared"], "40 ms")
})

await ContainerdStack.ask("cold start of a Node function in a container of containerd", main)
