/**
 * Which calls are worth telling the engine of: a worker that is called all the time need not be marked as used each time, which
 * would cost a round trip to the engine.
 */
import type { ContainerId } from "#domain/Worker"

/** An engine keeps whole seconds. */
const everyMs = 1_000

/** Beyond this many workers those whose second is over are forgotten. */
const mostRemembered = 1_024

/** `true` for the first call of a worker in a while. Times in milliseconds, of any clock that only moves forward. */
export const make = (): ((id: ContainerId, nowMs: number) => boolean) => {
  const told = new Map<ContainerId, number>()
  return (id, nowMs) => {
    const last = told.get(id)
    if (last !== undefined && nowMs - last < everyMs) return false
    told.set(id, nowMs)
    if (told.size > mostRemembered) {
      for (const [other, atMs] of told) if (nowMs - atMs >= everyMs) told.delete(other)
    }
    return true
  }
}
