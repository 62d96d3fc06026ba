/** Callers who go away: an invocation belongs to its worker, not to a connection. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { eventually } from "#test/support/Eventually"
import * as Faults from "#test/support/Faults"
import * as Processes from "#test/support/Processes"
import * as Stack from "#test/support/Stack"

interface Served {
  readonly worker: string
  readonly calls: number
}

const served = Effect.fnUntraced(function* (functionName: string, ms = 0) {
  const stack = yield* Stack.Running
  const answer = yield* Stack.invoke(stack, functionName, { ms }, { LogType: "Tail" })
  assert.isUndefined(answer.functionError)
  return { ...(answer.payload as Served), log: answer.log }
})

const textOf = (file: string) => Effect.sync(() => (existsSync(file) ? readFileSync(file, "utf8") : ""))

/** Nobody calls the function any more, and nobody waits for it. */
const isQuiet = (stack: Stack.Stack, functionName: string) =>
  eventually(
    `${functionName} is quiet`,
    Stack.pool(stack, functionName),
    ({ busy, provisioning, waiting }) => busy + provisioning + waiting === 0
  )

/** A call over a connection of its own, which breaks after that long; at once where nothing is to be sent. */
const passing = (stack: Stack.Stack, functionName: string, event: unknown, afterMs: number) =>
  Effect.gen(function* () {
    const call = yield* Effect.forkChild(Effect.exit(Stack.call(stack, functionName, event)))
    yield* Effect.sleep(afterMs)
    yield* Faults.cut(call)
  })

it.layer(Stack.layer(), Stack.live)("A caller who goes away", (it) => {
  it.effect("leaves a call that runs to its end, and a worker that is warm for the next one", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const file = join(stack.directory, "finished")
      const before = yield* served("single")
      const call = yield* Effect.forkChild(Effect.exit(Stack.call(stack, "single", { ms: 1_000, file })))
      yield* eventually("the call runs", Stack.pool(stack, "single"), ({ busy }) => busy === 1)
      yield* Faults.cut(call)
      assert.strictEqual((yield* Stack.pool(stack, "single")).busy, 1)
      yield* eventually("the function finishes", textOf(file), (text) => text === "done\n")
      const after = yield* served("single")
      assert.deepStrictEqual([after.worker, after.calls], [before.worker, before.calls + 2])
      assert.notInclude(after.log, "Init Duration")
    })
  )

  it.effect("leaves a call that is ended by its Timeout, as with a caller", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const file = join(stack.directory, "never")
      const call = yield* Effect.forkChild(Effect.exit(Stack.call(stack, "brief", { ms: 4_000, file })))
      yield* eventually("the call runs", Stack.pool(stack, "brief"), ({ busy }) => busy === 1)
      yield* Faults.cut(call)
      yield* eventually("its worker is gone", Stack.pool(stack, "brief"), ({ total_workers }) => total_workers === 0)
      assert.strictEqual(yield* textOf(file), "")
    })
  )

  it.effect("before his event has come does not call anybody", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const file = join(stack.directory, "half")
      const { port } = new URL(stack.gateway)
      const event = JSON.stringify({ file, id: "half" })
      const head = [
        `POST ${Stack.invokePath("record")} HTTP/1.1`,
        "Host: localhost",
        `Authorization: Bearer ${stack.token}`,
        `Content-Length: ${event.length}`
      ]
      yield* Effect.callback<void>((resume) => {
        const socket = connect(Number(port), "127.0.0.1", () => {
          socket.write(`${head.join("\r\n")}\r\n\r\n${event.slice(0, -1)}`, () => socket.destroy())
        })
        socket.on("close", () => resume(Effect.void))
      })
      // A call that comes after it and runs shows that it does not.
      yield* Stack.invoke(stack, "record", { file, id: "whole" })
      assert.strictEqual(yield* textOf(file), "whole\n")
      yield* isQuiet(stack, "record")
    })
  )

  it.effect("in the middle of a long answer leaves a worker that serves the next call", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      yield* Stack.invoke(stack, "big", { bytes: 1 })
      for (const afterMs of [10, 20, 40, 80]) yield* passing(stack, "big", { bytes: 6_000_000 }, afterMs)
      yield* isQuiet(stack, "big")
      const answer = yield* Stack.invoke(stack, "big", { bytes: 6_000_000 })
      assert.deepStrictEqual([answer.functionError, answer.text.length], [undefined, 6_000_002])
    })
  )

  it.effect("leaves nothing busy, fifty times over and at whatever moment", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      yield* Effect.forEach(
        Array.from({ length: 50 }, (_, index) => index),
        (index) => passing(stack, "crowd", { ms: 20 + (index % 5) * 20 }, Math.random() * 400),
        { concurrency: "unbounded", discard: true }
      )
      yield* isQuiet(stack, "crowd")
      const { total_workers } = yield* Stack.pool(stack, "crowd")
      assert.isAtMost(total_workers, 3)
      yield* served("crowd")
      yield* isQuiet(stack, "crowd")
    })
  )
})

/** Open files of the Gateway once their number stands still. */
const openFiles = Effect.fnUntraced(function* (gateway: number) {
  const count = Effect.sync(() => Processes.openFiles(gateway).length)
  let last = Number.NaN
  return yield* eventually("the number of open files stands still", Effect.delay(count, 200), (now) => {
    const isStill = now === last
    last = now
    return isStill
  })
})

/** As a program that makes its calls and ends: its connections end with it. */
const visit = <A, E>(calls: Effect.Effect<A, E, Stack.Running>) =>
  Effect.gen(function* () {
    const stack = yield* Stack.Running
    const lambda = yield* Effect.acquireRelease(
      Effect.sync(() => Stack.clientOf(stack)),
      (lambda) => Effect.sync(() => lambda.destroy())
    )
    return yield* Effect.provideService(calls, Stack.Running, { ...stack, lambda })
  }).pipe(Effect.scoped)

/** Calls whose callers stay, and one in four whose caller leaves. */
const mixed = Effect.fnUntraced(function* (count: number) {
  const stack = yield* Stack.Running
  yield* Effect.forEach(
    Array.from({ length: count }, (_, index) => index),
    (index) =>
      index % 4 === 0
        ? passing(stack, "crowd", { ms: 30 }, index % 3 === 0 ? 5 : 25)
        : Effect.asVoid(served("crowd", 1)),
    { concurrency: 6, discard: true }
  )
  yield* isQuiet(stack, "crowd")
})

/** Crashes, with a call that ends well between any two: five in a row would keep calls away for a while. */
const crashes = Effect.fnUntraced(function* (count: number) {
  const stack = yield* Stack.Running
  for (let crashed = 0; crashed < count; crashed++) {
    const { functionError } = yield* Stack.invoke(stack, "exit", { code: 1 })
    assert.strictEqual(functionError, "Unhandled")
    assert.isUndefined((yield* Stack.invoke(stack, "exit", { well: true })).functionError)
  }
})

describe("A Gateway", Processes.needsProc, () => {
  it.layer(Stack.layer(), Stack.live)("that has served many calls", (it) => {
    it.effect.each([
      ["whether their callers stayed or left", mixed, 40, 200],
      ["also where workers crashed", crashes, 2, 12]
    ] as const)("has as many files open as before, %s", ([, calls, few, many]) =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const gateway = yield* Effect.promise(stack.gatewayPid)
        // Pools and workers are made once.
        yield* visit(calls(few))
        const before = yield* openFiles(gateway)
        yield* visit(calls(many))
        assert.isAtMost(yield* openFiles(gateway), before)
      })
    )
  })
})
