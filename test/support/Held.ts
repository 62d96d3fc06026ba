/** A function that never answers by itself, and how many calls are in it. */
import { Effect } from "effect"
import type { MemoryFunction } from "#layers/memory/MemoryWorkers"

export const make = () => {
  const inside = { came: 0, left: 0 }
  const waits: MemoryFunction = {
    effect: () =>
      Effect.suspend(() => {
        inside.came += 1
        return Effect.never
      }).pipe(Effect.ensuring(Effect.sync(() => void (inside.left += 1))))
  }
  return { inside, waits }
}
