/**
 * A program with a queue, made to be killed. Takes the state directory and what to do; writes one line per answer, as
 * soon as it has it: `accepted <id>` or `settled <id>`.
 */
import { writeSync } from "node:fs"
import { Effect, Layer } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import * as Sqlite from "#layers/sqlite/Sqlite"
import * as SqliteEventQueue from "#layers/sqlite/SqliteEventQueue"
import { EventQueue } from "#services/EventQueue"

const [stateDirectory = ".", work = "", prefix = ""] = process.argv.slice(2)
const functionName = "hello" as FunctionName

const moment = new Int32Array(new SharedArrayBuffer(4))

/** Nothing else is done before it is written, although nobody may read for a while and the pipe be full. */
const write = (text: string): void => {
  for (;;) {
    try {
      writeSync(1, text)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error
      Atomics.wait(moment, 0, 0, 1)
    }
  }
}

const tell = (line: string) => Effect.sync(() => write(`${line}\n`))

const accept = (id: string) =>
  Effect.flatMap(EventQueue, (queue) =>
    queue.enqueue({
      id,
      functionName,
      payload: new Uint8Array(500).fill(120),
      traceId: "Root=1-65535353-0123456789abcdef01234567",
      clientContext: undefined,
      invokedArn: "arn:aws:lambda:us-east-1:123456789012:function:hello",
      acceptedAtUnixMs: Date.now()
    })
  ).pipe(Effect.andThen(tell(`accepted ${id}`)))

const ids = (kind: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${kind}-${index}`)

const settleSome = Effect.gen(function* () {
  const queue = yield* EventQueue
  for (const { id } of yield* queue.claim(functionName, 8, Date.now())) {
    yield* queue.settle(id, { _tag: "Done" })
    yield* tell(`settled ${id}`)
  }
})

/** Accepts on 16 fibers and settles on another, until it is killed. */
const everything = Effect.all(
  [
    ...ids("fiber", 16).map((fiber) =>
      Effect.suspend(() => {
        let count = 0
        return Effect.forever(Effect.suspend(() => accept(`${fiber}-${count++}`)))
      })
    ),
    Effect.forever(settleSome)
  ],
  { concurrency: "unbounded", discard: true }
)

const stories: Record<string, Effect.Effect<unknown, unknown, EventQueue>> = {
  everything,
  /** One after the other, then 64 at once. */
  batches: Effect.andThen(
    Effect.forEach(ids("alone", 5), accept),
    Effect.forEach(ids("together", 64), accept, { concurrency: "unbounded" })
  )
}

const queue = SqliteEventQueue.layer({ stateDirectory }).pipe(Layer.provide(Sqlite.layer))
await Effect.runPromise((stories[work] ?? Effect.die(`no story ${work}`)).pipe(Effect.provide(queue)))
