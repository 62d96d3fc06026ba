/**
 * Pipes without an owner yet, made several at a time by the system's own program, because Node has no call for it: whoever needs
 * one gives it a name. They go with the scope; what a crash leaves, the next run removes.
 */
import { Effect, Semaphore } from "effect"
import { execFile } from "node:child_process"
import { mkdir, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { RuntimeUnavailable } from "#domain/Failure"

const run = promisify(execFile)

/** Pipes of one call of the program, and how few are left when it is called again. */
const madeAtOnce = 16
const leastLeft = 4
const limitMs = 5_000

const failed = (cause: unknown) =>
  new RuntimeUnavailable({ detail: `pipes: ${cause instanceof Error ? cause.message : String(cause)}`, cause })

const attempt = <A>(act: (signal: AbortSignal) => Promise<A>) => Effect.tryPromise({ try: act, catch: failed })

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT"

/** `directory` is this stock's alone, on the file system where the pipes are wanted. */
export const make = Effect.fnUntraced(function* (directory: string) {
  const scope = yield* Effect.scope
  const turn = Semaphore.makeUnsafe(1)
  const ready: Array<string> = []
  let count = 0

  yield* Effect.acquireRelease(
    attempt(async () => {
      await rm(directory, { recursive: true, force: true })
      await mkdir(directory, { recursive: true, mode: 0o700 })
    }),
    // Without the directory there is nothing to remove either.
    () =>
      Effect.ignore(
        attempt(() => rm(directory, { recursive: true, force: true })),
        { log: "Debug" }
      )
  )

  const refill = attempt(async (signal) => {
    if (ready.length > leastLeft) return
    const fresh = Array.from({ length: madeAtOnce }, () => join(directory, String(++count)))
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await run("mkfifo", ["-m", "0600", ...fresh], { signal, timeout: limitMs })
    ready.push(...fresh)
  }).pipe(turn.withPermit)

  // Whoever finds none makes them, and hears why there are none.
  const refillSoon = Effect.forkIn(Effect.ignore(refill, { log: "Debug" }), scope)
  yield* refillSoon

  /** One of them lies there when this returns, in the place of whatever was there. */
  const place = (path: string): Effect.Effect<void, RuntimeUnavailable> =>
    Effect.gen(function* () {
      const taken = ready.shift()
      if (taken === undefined) {
        yield* refill
      } else {
        if (ready.length === leastLeft) yield* refillSoon
        const isPlaced = yield* attempt(() =>
          rename(taken, path).then(
            () => true,
            // Somebody has emptied the directory.
            (error: unknown) => (isMissing(error) ? false : Promise.reject(error as Error))
          )
        )
        if (isPlaced) return
      }
      return yield* place(path)
    })

  return { place }
})
