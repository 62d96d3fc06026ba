/**
 * Gives back what a server does not need while it rests. V8 keeps what a busy time has taken for the next one: a Gateway of
 * 27 MiB of objects has 280 MiB after ten thousand calls, and as many a minute later. It is tidied up once a rest, for that stops
 * the process for some tenths of a second, and its next hundred calls cost it 80 ms more.
 */
import { Effect, Layer } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

export interface Options {
  /** How long a rest is, before anything is done about it. */
  readonly restMs: number
  /** Who rests uses less of a processor than this share of it. */
  readonly restingShare: number
  /** Memory that has grown by less since it was last given back is left alone. */
  readonly worthBytes: number
}

const defaults: Options = { restMs: 20_000, restingShare: 0.03, worthBytes: 32 * 1_048_576 }

/** Node hides it; a context that is made after this flag has it. */
const collector = (): NodeJS.GCFunction => {
  setFlagsFromString("--expose-gc")
  return runInNewContext("gc") as NodeJS.GCFunction
}

const cpuMs = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1_000
}

export const layer = (options: Partial<Options> = {}): Layer.Layer<never> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { restMs, restingShare, worthBytes } = { ...defaults, ...options }
      const collect = collector()
      let leastBytes = process.memoryUsage.rss()
      const lookAfterRest = Effect.gen(function* () {
        const before = cpuMs()
        yield* Effect.sleep(restMs)
        if (cpuMs() - before > restMs * restingShare) return
        if (process.memoryUsage.rss() - leastBytes < worthBytes) return
        collect({ type: "major", execution: "sync", flavor: "last-resort" })
        leastBytes = process.memoryUsage.rss()
      })
      yield* Effect.forkScoped(Effect.forever(lookAfterRest))
    })
  )
