/** Do fifty first calls at once all get their answer, and when? */
import { Effect } from "effect"
import * as DockerStack from "./parts/DockerStack.ts"
import * as EngineAlone from "./parts/EngineAlone.ts"
import { figure, tell, tellNumber, timed } from "./parts/Figures.ts"

const calls = 50
const memoryMiB = 128
/** What the Agent starts at a time, as it ships. */
const parallelStarts = 4

const numbers = Array.from({ length: calls }, (_, n) => n)

/** All at once; each must answer what it was asked. */
const burst = (stack: DockerStack.DockerStack, functionOf: (n: number) => string) =>
  Effect.promise(async () => {
    const samples: Array<number> = []
    const wholeMs = await timed(() =>
      Promise.all(
        numbers.map(async (n) => {
          const text = JSON.stringify({ n })
          let answer = ""
          samples.push(await timed(async () => (answer = await stack.invoke(functionOf(n), text))))
          if (answer !== text) throw new Error(`${text} was answered ${answer}`)
        })
      )
    )
    return { wholeMs, samples }
  })

const main = Effect.gen(function* () {
  const entry = { handler: "index.echo", timeout: 10, memory_size: memoryMiB }
  const each = Object.fromEntries(numbers.map((n) => [`f${n}`, entry]))
  const shared = { one: { ...entry, scaling: { max_capacity: calls } } }
  const stack = yield* DockerStack.start({ ...each, ...shared })
  const alone = yield* EngineAlone.make(stack, entry.handler, memoryMiB)

  const lanes = Array.from({ length: parallelStarts }, (_, lane) => numbers.filter((n) => n % parallelStarts === lane))
  const floorMs = yield* Effect.promise(() =>
    timed(() =>
      Promise.all(
        lanes.map(async (lane) => {
          for (const _ of lane) await alone.start()
        })
      )
    )
  )
  tellNumber(
    `floor: ${calls} starts by the engine alone, ${parallelStarts} at a time`,
    `${(floorMs / 1_000).toFixed(1)} s`
  )
  const apart = yield* burst(stack, (n) => `f${n}`)
  tell(figure(`${calls} functions, a call each`, apart.samples))
  const ratio = (apart.wholeMs / floorMs).toFixed(2)
  tellNumber("  all of them answered, after", `${(apart.wholeMs / 1_000).toFixed(1)} s, ${ratio} of the floor`)
  // Whoever waits gets the first worker that is free, so that most answers come from the first few.
  const together = yield* burst(stack, () => "one")
  tell(figure(`one function, ${calls} calls`, together.samples))
})

await DockerStack.ask("fifty first calls at once of Node functions in containers of a Docker Engine", main)
