/** A process that has been busy and rests. */
import { it } from "@effect/vitest"
import { Effect } from "effect"
import * as IdleMemory from "#programs/IdleMemory"
import { eventually } from "#test/support/Eventually"

const bytesPerMiB = 1_048_576

/** Objects that live long enough to be taken for old, and then no more. */
const beBusy = (): void => {
  const kept: Array<ReadonlyArray<number>> = []
  for (let index = 0; index < 400_000; index++) kept.push([index, index + 1, index + 2, index + 3])
}

it.live("A server that rests gives back the memory that it took when it was busy", () =>
  Effect.gen(function* () {
    const residentMiB = Effect.sync(() => Math.round(process.memoryUsage.rss() / bytesPerMiB))
    beBusy()
    const busyMiB = yield* residentMiB
    yield* eventually("less memory", residentMiB, (now) => now < busyMiB - 10, 10_000)
  }).pipe(Effect.provide(IdleMemory.layer({ restMs: 200, restingShare: 0.9, worthBytes: bytesPerMiB })))
)
