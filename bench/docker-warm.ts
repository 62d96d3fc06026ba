/** What does a warm call of a worker in a container cost through the Gateway, and what through the Agent's data door alone? */
import { Effect, Layer } from "effect"
import * as DockerStack from "./parts/DockerStack.ts"
import { figure, tell, tellNumber, timed } from "./parts/Figures.ts"
import * as WarmWorker from "./parts/WarmWorker.ts"

const text = JSON.stringify({ text: "x".repeat(1000) })
const rounds = 20
const callsPerRound = 100
const handler = "index.echo"

const main = Effect.gen(function* () {
  const stack = yield* DockerStack.start({ echo: { handler, timeout: 10, memory_size: 256 } })
  const layers = yield* Layer.build(WarmWorker.byAgent(stack.agent))
  const worker = WarmWorker.start(WarmWorker.specOf(stack.image, handler), new TextEncoder().encode(text))
  const byDoor = yield* Effect.provide(worker, layers)
  const byGateway = () => stack.invoke("echo", text)
  const [direct, through]: [Array<number>, Array<number>] = [[], []]
  // Nothing is warm in the first rounds.
  for (let round = -5; round < rounds; round++) {
    for (let call = 0; call < callsPerRound; call++) {
      const door = yield* Effect.promise(() => timed(byDoor))
      const gateway = yield* Effect.promise(() => timed(byGateway))
      if (round < 0) continue
      direct.push(door)
      through.push(gateway)
    }
  }
  const [floor, whole] = [
    figure("floor: the Agent's data door driven directly", direct),
    figure("through the Gateway", through)
  ]
  tell(floor)
  tell(whole)
  const [p50, p99] = [whole.p50 - floor.p50, whole.p99 - floor.p99]
  tellNumber("added by the Gateway and one HTTP hop", `p50 ${p50.toFixed(3)} ms, p99 ${p99.toFixed(3)} ms`)
})

await DockerStack.ask("warm call of a Node function in a container of a Docker Engine, 1 KiB, 1 in flight", main)
