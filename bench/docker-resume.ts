/** How long does a frozen worker in a container take to its answer, beside the engine's own time to wake it? */
import { setTimeout as sleep } from "node:timers/promises"
import { Effect } from "effect"
import * as DockerStack from "./parts/DockerStack.ts"
import * as EngineAlone from "./parts/EngineAlone.ts"
import { figure, tell, tellNumber, timed } from "./parts/Figures.ts"

const rounds = 30
const memoryMiB = 256
/** An idle worker is frozen after so long; one that has rested for half of it is awake. */
const pauseIdleMs = 400
const lookEveryMs = 20

const main = Effect.gen(function* () {
  const entry = { handler: "index.echo", timeout: 10, memory_size: memoryMiB }
  const stack = yield* DockerStack.start({ echo: entry }, { PAUSE_IDLE_SECONDS: String(pauseIdleMs / 1_000) })
  const alone = yield* EngineAlone.make(stack, entry.handler, memoryMiB)
  yield* Effect.promise(alone.coldStart)
  const bare = alone.last()
  const call = () => stack.invoke("echo", "{}")
  yield* Effect.promise(call)

  const frozen = async () => {
    while ((await stack.containers()).every(({ State }) => State !== "paused")) await sleep(lookEveryMs)
  }
  const [floor, through, warm]: [Array<number>, Array<number>, Array<number>] = [[], [], []]
  for (let round = 0; round < rounds; round++) {
    yield* Effect.promise(() => bare.pause())
    yield* Effect.promise(frozen)
    floor.push(yield* Effect.promise(() => timed(() => bare.unpause())))
    through.push(yield* Effect.promise(() => timed(call)))
    yield* Effect.promise(() => sleep(pauseIdleMs / 2))
    warm.push(yield* Effect.promise(() => timed(call)))
  }
  const [unpause, whole, awake] = [
    figure("floor: the engine's own unpause", floor),
    figure("frozen, to the answer", through),
    figure("awake, to the answer", warm)
  ]
  tell(unpause)
  tell(whole)
  tell(awake)
  tellNumber("for being frozen", `${(whole.p50 - awake.p50).toFixed(3)} ms  (bar: ≤ 10 ms)`)
})

await DockerStack.ask("a frozen worker in a container of a Docker Engine, to its answer", main)
