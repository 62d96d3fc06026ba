/** What a client of emulators promises, whichever emulator it meets. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { FunctionName } from "#domain/FunctionName"
import { type Invocation, limits } from "#domain/Invocation"
import { ContainerId, OwnerId, type Worker } from "#domain/Worker"
import * as EmulatorPort from "#layers/rie/EmulatorPort"
import type { RieSettings } from "#layers/rie/RieSettings"
import * as RieWorkerClient from "#layers/rie/RieWorkerClient"
import { WorkerClient } from "#services/WorkerClient"
import * as Emulators from "#test/support/Emulators"
import { eventually } from "#test/support/Eventually"
import * as FreePort from "#test/support/FreePort"

const functionName = FunctionName.make("sample")
const traceId = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
const timeoutOf = (seconds: number) => ({ AWS_LAMBDA_FUNCTION_TIMEOUT: String(seconds) })

export const workerAt = (address: Worker["address"]): Worker => {
  const id = ContainerId.make(randomUUID())
  return {
    id,
    name: id,
    functionName,
    owner: OwnerId.make("gateway"),
    specHash: "",
    protocol: "rie",
    address,
    createdAtUnixSeconds: 0
  }
}

export const call = (event: unknown, asked: Partial<Invocation> = {}): Invocation => ({
  requestId: randomUUID(),
  functionName,
  traceId,
  invokedArn: "arn:aws:lambda:us-east-1:000000000000:function:sample",
  payload: Buffer.from(JSON.stringify(event)),
  clientContext: undefined,
  wantsLogTail: true,
  ...asked
})

/** What the event of a call says for the test to see when the function has it. */
const callOf = ({ directory }: Emulators.Emulator) => {
  const begun = join(directory, "begun")
  const hasCall = eventually(
    "the function has the call",
    Effect.sync(() => existsSync(begun)),
    (isThere) => isThere
  )
  return { begun, hasCall }
}

const json = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString())

export const suite = (name: Emulators.EmulatorName) =>
  describe(`RieWorkerClient (${name})`, Emulators.needsEmulator(name), () => {
    /** A worker that is ready, and its client. */
    const open = Effect.fnUntraced(function* (handler: string, environment?: Readonly<Record<string, string>>) {
      const client = yield* WorkerClient
      const emulator = yield* Emulators.start(name, handler, environment)
      const worker = workerAt(emulator.address)
      yield* client.ready(worker)
      const send = (event: unknown, asked?: Partial<Invocation>) => client.send(worker, call(event, asked))
      const fail = (event: unknown, asked?: Partial<Invocation>) => Effect.flip(send(event, asked))
      const isAlive = () => client.isAlive(worker)
      return { client, emulator, worker, send, fail, isAlive }
    })

    const live = <A, E>(
      title: string,
      test: () => Effect.Effect<A, E, WorkerClient | Scope.Scope>,
      settings: Partial<RieSettings> = {}
    ) => it.live(title, () => Effect.provide(test(), RieWorkerClient.layer(settings)))

    live("is ready as soon as the emulator listens, before there is a runtime", () =>
      Effect.gen(function* () {
        const { isAlive, send } = yield* open("index.told")
        assert.isTrue(isAlive())
        const { payload, ...rest } = yield* send({})
        assert.deepInclude(rest, { contentType: "application/json", errorType: undefined, logTail: new Uint8Array() })
        assert.deepInclude(rest.report, { initDurationMs: undefined, maxMemoryBytes: 0 })
        assert.isAbove(rest.report.durationMs, 1)
        assert.isTrue(isAlive())
        const again = yield* send({})
        assert.propertyVal(json(again.payload), "pid", (json(payload) as { pid: number }).pid)
      })
    )

    live("carries the ids to the function in its client context, beside the caller's own", () =>
      Effect.gen(function* () {
        const { send } = yield* open("index.told")
        const requestId = randomUUID()
        const ids = { trace_id: traceId, aws_request_id: requestId }
        const bare = yield* send({}, { requestId })
        assert.deepInclude(json(bare.payload), { clientContext: { custom: ids } })
        const clientContext = JSON.stringify({ client: { title: "zoë ✓" }, custom: { tenant: 7 } })
        const both = yield* send({}, { requestId, clientContext })
        const merged = { client: { title: "zoë ✓" }, custom: { tenant: 7, ...ids } }
        assert.deepInclude(json(both.payload), { clientContext: merged })
      })
    )

    live("brings events and answers over as they are, up to their limits", () =>
      Effect.gen(function* () {
        const { send } = yield* open("index.echo")
        for (const event of [null, "", "zoë ✓", { deep: [{ n: 1.5 }] }, "x".repeat(limits.requestBytes - 2)]) {
          const { errorType, payload } = yield* send(event)
          assert.isUndefined(errorType)
          assert.isTrue(Buffer.from(JSON.stringify(event)).equals(payload))
        }
      })
    )

    live("takes a hundred calls, one after another", () =>
      Effect.gen(function* () {
        const { send } = yield* open("index.echo")
        for (let n = 0; n < 100; n++) assert.deepStrictEqual(json((yield* send({ n })).payload), { n })
      })
    )

    live("tells an error of the function from an answer that resembles one", () =>
      Effect.gen(function* () {
        const failing = yield* open("index.fail")
        const { errorType, payload } = yield* failing.send({})
        assert.strictEqual(errorType, "TypeError")
        assert.deepInclude(json(payload), { errorType: "TypeError", errorMessage: "boom" })
        assert.isTrue(failing.isAlive())
        const resembling = yield* open("index.resembling")
        assert.isUndefined((yield* resembling.send({})).errorType)
      })
    )

    live("names the type of an answer as well as can be known", () =>
      Effect.gen(function* () {
        const { send } = yield* open("index.say")
        const typeOf = (text: string) => Effect.map(send({ text, type: "text/csv" }), ({ contentType }) => contentType)
        assert.strictEqual(yield* typeOf('{"a":1}'), "application/json")
        assert.strictEqual(yield* typeOf("plain words"), "text/plain; charset=utf-8")
        assert.strictEqual(yield* typeOf("<p>words</p>"), "text/html; charset=utf-8")
      })
    )

    live("ends a call at the function's timeout, in AWS's words", () =>
      Effect.gen(function* () {
        const { fail, isAlive } = yield* open("index.hang", timeoutOf(1))
        const requestId = randomUUID()
        const failure = yield* fail({}, { requestId })
        assert.strictEqual(failure._tag, "InvocationTimedOut")
        const errorMessage = `RequestId: ${requestId} Error: Task timed out after 1.00 seconds`
        assert.deepStrictEqual(json((failure as { payload: Uint8Array }).payload), {
          errorType: "Sandbox.Timedout",
          errorMessage
        })
        assert.isFalse(isAlive())
        assert.strictEqual((yield* fail({}))._tag, "WorkerUnreachable")
      })
    )

    live("tells of an exit under the caller's id, and calls the worker no more", () =>
      Effect.gen(function* () {
        const { fail, isAlive } = yield* open("index.exit")
        const requestId = randomUUID()
        const failure = yield* fail({ code: 3 }, { requestId })
        assert.strictEqual(failure._tag, "WorkerExited")
        assert.deepStrictEqual(json((failure as { payload: Uint8Array }).payload), {
          errorType: "Runtime.ExitError",
          errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: exit status 3`
        })
        assert.isFalse(isAlive())
        assert.strictEqual((yield* fail({}))._tag, "WorkerUnreachable")
      })
    )

    live("learns with the first call that a function cannot be loaded", () =>
      Effect.gen(function* () {
        const unknown = yield* open("gone.handler")
        assert.deepInclude(yield* unknown.fail({}), { _tag: "InitFailed", errorType: "Runtime.ImportModuleError" })
        const silent = yield* open("leaves.handler")
        assert.deepInclude(yield* silent.fail({}), { _tag: "InitFailed", errorType: "Runtime.ExitError" })
        assert.isFalse(silent.isAlive())
      })
    )

    live("refuses a second call at a time, of which the emulator would die", () =>
      Effect.gen(function* () {
        const { emulator, fail, isAlive, send } = yield* open("index.rest")
        const { begun, hasCall } = callOf(emulator)
        const first = yield* Effect.forkChild(send({ ms: 500, begun }))
        yield* hasCall
        for (const _ of [1, 2, 3]) assert.strictEqual((yield* fail({ ms: 1 }))._tag, "WorkerUnreachable")
        assert.strictEqual(json((yield* Fiber.join(first)).payload), 500)
        assert.strictEqual(json((yield* send({ ms: 2 })).payload), 2)
        assert.isTrue(isAlive())
        assert.isFalse(Emulators.hasEnded(emulator))
      })
    )

    live("calls a worker no more whose caller left, because it still has the call", () =>
      Effect.gen(function* () {
        const { emulator, fail, isAlive, send } = yield* open("index.rest")
        const { begun, hasCall } = callOf(emulator)
        const left = yield* Effect.forkChild(send({ ms: 500, begun }))
        yield* hasCall
        yield* Fiber.interrupt(left)
        assert.isFalse(isAlive())
        assert.strictEqual((yield* fail({ ms: 1 }))._tag, "WorkerUnreachable")
        yield* Effect.sleep(600)
        assert.isFalse(Emulators.hasEnded(emulator))
      })
    )

    live(
      "ends a call that outlasts every timeout",
      () =>
        Effect.gen(function* () {
          const { fail, isAlive } = yield* open("index.hang")
          const failure = yield* fail({})
          assert.strictEqual(failure._tag, "InvocationTimedOut")
          assert.isFalse(isAlive())
        }),
      { callLimitMs: 500 }
    )

    live("finds a worker unreachable that has gone, and says that it ended when it does so in a call", () =>
      Effect.gen(function* () {
        const gone = yield* open("index.echo")
        yield* gone.send({})
        yield* Emulators.end(gone.emulator)
        assert.strictEqual((yield* gone.fail({}))._tag, "WorkerUnreachable")
        assert.isFalse(gone.isAlive())
        const going = yield* open("index.rest")
        const { begun, hasCall } = callOf(going.emulator)
        const held = yield* Effect.forkChild(going.fail({ ms: 60_000, begun }))
        yield* hasCall
        yield* Emulators.end(going.emulator)
        assert.deepInclude(yield* Fiber.join(held), { _tag: "WorkerExited", errorType: "Runtime.ExitError" })
        assert.isFalse(going.isAlive())
      })
    )

    live("does not promise that nothing was sent when the emulator hangs up", () =>
      Effect.gen(function* () {
        const { fail } = yield* open("index.echo", timeoutOf(0.5))
        assert.strictEqual((yield* fail({}))._tag, "WorkerExited")
      })
    )

    live("tells of an answer that is too large in AWS's words", () =>
      Effect.gen(function* () {
        const { isAlive, send } = yield* open("index.large")
        const { errorType, payload } = yield* send({ bytes: limits.responseBytes + 1 })
        assert.strictEqual(errorType, "Function.ResponseSizeTooLarge")
        const errorMessage = `Response payload size exceeded maximum allowed payload size (${limits.responseBytes} bytes).`
        assert.deepStrictEqual(json(payload), { errorMessage, errorType })
        assert.lengthOf((yield* send({ bytes: limits.responseBytes })).payload, limits.responseBytes)
        assert.isTrue(isAlive())
      })
    )

    live(
      "reads no more of an answer than it may",
      () =>
        Effect.gen(function* () {
          const { isAlive, send } = yield* open("index.large")
          assert.strictEqual((yield* send({ bytes: 2_000 })).errorType, "Function.ResponseSizeTooLarge")
          assert.isFalse(isAlive())
        }),
      { answerLimitBytes: 1_000 }
    )

    live(
      "gives a worker up that does not listen in time",
      () =>
        Effect.gen(function* () {
          const client = yield* WorkerClient
          const address = { host: "127.0.0.1", port: yield* FreePort.find }
          const startedAtMs = performance.now()
          const failure = yield* Effect.flip(client.ready(workerAt(address)))
          assert.strictEqual(failure._tag, "InitFailed")
          assert.isAtLeast(performance.now() - startedAtMs, 390)
          assert.isFalse(yield* EmulatorPort.accepts(address, 100))
        }),
      { initLimitMs: 400 }
    )
  })
