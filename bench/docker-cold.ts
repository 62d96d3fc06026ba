/** How much longer than the engine itself does the first call of a function in a container take, through Gateway and Agent? */
import { Effect } from "effect"
import * as DockerStack from "./parts/DockerStack.ts"
import * as EngineAlone from "./parts/EngineAlone.ts"
import { figure, tell, tellNumber, timed } from "./parts/Figures.ts"

const rounds = 30
const memoryMiB = 256

const main = Effect.gen(function* () {
  const entry = { handler: "index.echo", timeout: 10, memory_size: memoryMiB }
  const functions = Object.fromEntries(Array.from({ length: rounds + 1 }, (_, n) => [`f${n}`, entry]))
  const stack = yield* DockerStack.start(functions)
  const alone = yield* EngineAlone.make(stack, entry.handler, memoryMiB)
  const [floor, through]: [Array<number>, Array<number>] = [[], []]
  for (let round = 0; round <= rounds; round++) {
    const byEngine = yield* Effect.promise(alone.coldStart)
    const byGateway = yield* Effect.promise(() => timed(() => stack.invoke(`f${round}`, "{}")))
    // Nothing is warm in the first round.
    if (round === 0) continue
    floor.push(byEngine)
    through.push(byGateway)
  }
  const [bare, whole] = [
    figure("floor: the engine alone, a stub Runtime API", floor),
    figure("through the Gateway", through)
  ]
  tell(bare)
  tell(whole)
  tellNumber("ratio of the medians", `${(whole.p50 / bare.p50).toFixed(3)}  (bar: ≤ 1.15)`)
})

await DockerStack.ask("cold start of a Node function in a container of a Docker Engine", main)
