/**
 * How long does a frozen worker in a container of containerd take to its answer: thawed by the kernel's file, and by containerd,
 * beside containerd's own time to wake one?
 */
import { setTimeout as sleep } from "node:timers/promises"
import { Effect } from "effect"
import * as Freezers from "#test/support/Freezers"
import * as ContainerdAlone from "./parts/ContainerdAlone.ts"
import * as ContainerdStack from "./parts/ContainerdStack.ts"
import { figure, tell, tellNumber, timed } from "./parts/Figures.ts"

const rounds = 30
const memoryMiB = 256
/** An idle worker is frozen after so long; one that has rested for half of it is awake. */
const pauseIdleMs = 400
const lookEveryMs = 20

const stackThatFreezes = Effect.fnUntraced(function* (freeze: "cgroup" | "task") {
  const entry = { handler: "index.rest", timeout: 10, memory_size: memoryMiB }
  const settings = { PAUSE_IDLE_SECONDS: String(pauseIdleMs / 1_000), CONTAINERD_FREEZE: freeze }
  const stack = yield* ContainerdStack.start({ rest: entry }, settings)
  const call = () => stack.invoke("rest", "{}")
  yield* Effect.promise(call)
  const [task] = yield* Effect.promise(stack.tasks)
  const pid = task?.pid ?? 0
  const frozen = async () => {
    for (let looks = 1; !Freezers.isFrozen(pid); looks++) {
      // A machine that is too busy to freeze it is given another chance.
      if (looks % 100 === 0) await call()
      await sleep(lookEveryMs)
    }
  }
  const samples = { whole: new Array<number>(), awake: new Array<number>() }
  return {
    stack,
    freeze,
    samples,
    round: async () => {
      await frozen()
      samples.whole.push(await timed(call))
      await sleep(pauseIdleMs / 2)
      samples.awake.push(await timed(call))
    }
  }
})

const main = Effect.gen(function* () {
  const byFile = yield* stackThatFreezes("cgroup")
  const byContainerd = yield* stackThatFreezes("task")
  const alone = yield* ContainerdAlone.make(byContainerd.stack, { handler: "index.rest", memoryMiB })
  const bare = yield* Effect.promise(alone.prepare)
  yield* Effect.promise(() => alone.preparedStart(bare))
  const floor: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    yield* Effect.promise(async () => {
      await alone.pause(bare)
      await byFile.round()
      floor.push(await timed(() => alone.resume(bare)))
      await byContainerd.round()
    })
  }
  tell(figure("floor: containerd's own resume", floor))
  for (const { freeze, samples } of [byFile, byContainerd]) {
    const how = freeze === "cgroup" ? "by the kernel's file" : "by containerd"
    const [whole, awake] = [
      figure(`frozen ${how}, to the answer`, samples.whole),
      figure("awake, to the answer", samples.awake)
    ]
    tell(whole)
    tell(awake)
    const bar = freeze === "cgroup" ? "2 ms" : "10 ms"
    const ratio = (whole.p50 / awake.p50).toFixed(2)
    tellNumber("  for being frozen", `${(whole.p50 - awake.p50).toFixed(3)} ms, ${ratio} of awake  (bar: ≤ ${bar})`)
  }
})

await ContainerdStack.ask("a frozen worker in a container of containerd, to its answer", main)
