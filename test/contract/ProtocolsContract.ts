/** How functions in images of AWS's layout are spoken to: by the runtime clients and the emulator that live in those. */
import { assert, describe, it, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { mkdtempSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Invocation } from "#domain/Invocation"
import type { Worker } from "#domain/Worker"
import { WorkerClient } from "#services/WorkerClient"
import * as BaseImages from "#test/support/BaseImages"
import { type ContainerEngine, EngineMachine } from "#test/support/ContainerEngines"
import { needs } from "#test/support/Engines"
import * as JavaClasses from "#test/support/JavaClasses"
import { made, started } from "#test/support/LentWorkers"
import { temporaryDirectory } from "#test/support/ProcessWorkers"
import { type Asked, specOf } from "#test/support/WorkerFunctions"
import { call } from "./ContainerRuntimeContract.ts"

const traceId = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
const client = { custom: { tenant: "a" } }
/** The user of functions on AWS. */
const functionUser = 993
const timeoutMs = 8_000

const samples = (path: string) => fileURLToPath(new URL(`../samples/images/${path}`, import.meta.url))

interface Language {
  readonly runtime: string
  /** Directory of its function. */
  readonly task: () => string
  readonly handler: string
  /** Of a function that is not there to be called: what its client says why, in the words `not today`. */
  readonly unloadable: { readonly handler: string; readonly errorType: string }
  /** What its function throws, with `boom`, and what its client calls that where only a word is asked for. */
  readonly failure: { readonly thrown: string; readonly told: string }
}

const typeError = { thrown: "TypeError", told: "TypeError" }

const node: Language = {
  runtime: "nodejs24.x",
  task: () => samples("node"),
  handler: "app.handler",
  unloadable: { handler: "unloadable.handler", errorType: "RangeError" },
  failure: typeError
}

const python: Language = {
  runtime: "python3.11",
  task: () => samples("python"),
  handler: "app.handler",
  unloadable: { handler: "unloadable.handler", errorType: "LookupError" },
  failure: typeError
}

let classes: string | undefined
const compiled = (): string => {
  const directory = mkdtempSync(join(temporaryDirectory(), "classes-"))
  JavaClasses.compile(samples("java/deeds"), directory)
  return directory
}

const java: Language = {
  runtime: "java17",
  task: () => (classes ??= compiled()),
  handler: "app.App::handle",
  unloadable: { handler: "app.Unloadable::handle", errorType: "java.lang.IllegalArgumentException" },
  // The header of AWS's client tells no more than whose fault it is.
  failure: { thrown: "java.lang.IllegalStateException", told: "Runtime.UserException" }
}

/** A function of `test/samples/images` on a base. */
const functionOn = (
  base: BaseImages.BaseName,
  language: Language,
  handler = language.handler,
  asked: Asked = {},
  settings: ReadonlyArray<string> = []
) =>
  Effect.gen(function* () {
    const { take } = yield* EngineMachine
    const built = Effect.promise(() => BaseImages.image(base, { task: language.task(), handler, settings }))
    return specOf(yield* take(yield* built), handler, { runtime: language.runtime, timeoutMs, ...asked })
  })

const bodyOf = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()) as Readonly<Record<string, unknown>>

const send = Effect.fnUntraced(function* (worker: Worker, event: unknown, changed: Partial<Invocation> = {}) {
  const workers = yield* WorkerClient
  return yield* workers.send(worker, { ...call(worker, event), ...changed })
})

/** What a function is told of its call, and what it cannot be told of. */
const told = Effect.fnUntraced(function* (worker: Worker) {
  const requestId = randomUUID()
  const { payload } = yield* send(worker, { do: "tell" }, { requestId, traceId, clientContext: JSON.stringify(client) })
  return { requestId, seen: bodyOf(payload) }
})

/** Tests on a machine that has an engine. */
interface Bench<M> {
  readonly it: Vitest.MethodsNonLive<M | EngineMachine>
  readonly run: ContainerEngine<M>["run"]
}

const speaks = <M>({ it, run }: Bench<M>, base: BaseImages.BaseName, language: Language) => {
  const container = run()

  describe(`${base} in an image of AWS's layout`, { ...needs(...BaseImages.peers[base]), timeout: 60_000 }, () => {
    it.effect("connects to the Runtime API, and hears everything of its call", () =>
      Effect.gen(function* () {
        const worker = yield* started(yield* functionOn(base, language))
        assert.strictEqual(worker.protocol, "runtime-api")
        const { requestId, seen } = yield* told(worker)
        const { remainingMs, runtimeApi, ...rest } = seen
        assert.deepStrictEqual(rest, { requestId, trace: traceId, client, user: functionUser })
        assert.strictEqual(runtimeApi, `${worker.address.host}:${worker.address.port}`)
        assert.isAtMost(Number(remainingMs), timeoutMs)
        assert.isAbove(Number(remainingMs), timeoutMs - 2_000)
      }).pipe(Effect.scoped, Effect.provide(container))
    )

    it.effect("answers call after call, errors of the function with their type among them", () =>
      Effect.gen(function* () {
        const worker = yield* started(yield* functionOn(base, language))
        for (const n of [1, 2]) {
          assert.deepStrictEqual(bodyOf((yield* send(worker, { do: "echo", event: { n } })).payload), { n })
          const failed = yield* send(worker, { do: "fail" })
          assert.strictEqual(failed.errorType, language.failure.told)
          assert.deepInclude(bodyOf(failed.payload), { errorType: language.failure.thrown, errorMessage: "boom" })
        }
      }).pipe(Effect.scoped, Effect.provide(container))
    )

    it.effect("tells why a function cannot be loaded", () =>
      Effect.gen(function* () {
        const workers = yield* WorkerClient
        const { unloadable } = language
        const worker = yield* made(yield* functionOn(base, language, unloadable.handler))
        const failure = yield* Effect.flip(workers.ready(worker))
        if (failure._tag !== "InitFailed") return assert.fail(failure.message)
        const { errorMessage, errorType } = bodyOf(failure.payload)
        assert.strictEqual(errorMessage, "not today")
        assert.strictEqual(errorType, unloadable.errorType)
      }).pipe(Effect.scoped, Effect.provide(container))
    )

    it.effect("is stopped when it takes longer than it may, and its end is told when it exits", () =>
      Effect.gen(function* () {
        const slow = yield* started(yield* functionOn(base, language, language.handler, { timeoutMs: 1_000 }))
        const late = yield* Effect.flip(send(slow, { do: "hang" }))
        if (late._tag !== "InvocationTimedOut") return assert.fail(late.message)
        assert.include(bodyOf(late.payload), { errorType: "Sandbox.Timedout" })

        const leaving = yield* started(yield* functionOn(base, language))
        const gone = yield* Effect.flip(send(leaving, { do: "exit", code: 3 }))
        if (gone._tag !== "WorkerExited") return assert.fail(gone.message)
        assert.include(bodyOf(gone.payload), { errorType: "Runtime.ExitError" })
        assert.include(String(bodyOf(gone.payload)["errorMessage"]), "exit status 3")
      }).pipe(Effect.scoped, Effect.provide(container))
    )

    if (language === node) {
      it.effect("streams its answers", () =>
        Effect.gen(function* () {
          const worker = yield* started(yield* functionOn(base, language, "app.stream"))
          const { contentType, errorType, payload } = yield* send(worker, {})
          assert.deepStrictEqual({ contentType, errorType }, { contentType: "text/plain", errorType: undefined })
          assert.strictEqual(Buffer.from(payload).toString(), "one two")
        }).pipe(Effect.scoped, Effect.provide(container))
      )
    }
  })
}

const throughEmulator = <M>({ it, run }: Bench<M>, base: BaseImages.BaseName, language: Language) =>
  describe(`${base} behind AWS's emulator`, { ...needs(...BaseImages.peers[base], "rie"), timeout: 60_000 }, () => {
    it.effect("is started by it where the setting says so, because the image is told of no door", () =>
      Effect.gen(function* () {
        const worker = yield* started(yield* functionOn(base, language))
        assert.strictEqual(worker.protocol, "rie")
        assert.strictEqual(worker.address.port, 8_080)
        const { requestId, seen } = yield* told(worker)
        // Its own Runtime API, not ours; ids travel in the context of the client.
        assert.match(String(seen["runtimeApi"]), /^127\.0\.0\.1:\d+$/)
        assert.deepStrictEqual(seen["client"], {
          custom: { ...client.custom, aws_request_id: requestId, trace_id: traceId }
        })
        const failed = yield* send(worker, { do: "fail" })
        assert.strictEqual(failed.errorType, language.failure.thrown)
        assert.deepInclude(bodyOf(failed.payload), { errorType: language.failure.thrown, errorMessage: "boom" })
      }).pipe(Effect.scoped, Effect.provide(run({ protocols: { setting: "rie" } })))
    )
  })

const startsWithEmulator = <M>({ it, run }: Bench<M>) => {
  const needed = needs(...BaseImages.peers.node, "rie")

  describe("an image that starts with AWS's emulator", { ...needed, timeout: 60_000 }, () => {
    it.effect("is found out although it is told of a door, and at once the second time", () =>
      Effect.gen(function* () {
        const spec = yield* functionOn("node", node, node.handler, {}, [
          'ENTRYPOINT ["/usr/local/bin/aws-lambda-rie", "/lambda-entrypoint.sh"]'
        ])
        const graceMs = 1_000
        const tookMs = []
        for (const n of [1, 2]) {
          const from = performance.now()
          const worker = yield* started(spec)
          tookMs.push(performance.now() - from)
          assert.strictEqual(worker.protocol, "rie")
          assert.deepStrictEqual(bodyOf((yield* send(worker, { do: "echo", event: { n } })).payload), { n })
        }
        const [first = 0, second = 0] = tookMs
        assert.isAtLeast(first, graceMs)
        assert.isBelow(second, first)
      }).pipe(Effect.scoped, Effect.provide(run()))
    )
  })
}

export const suite = <M>({ machine, name, needs: needed, run }: ContainerEngine<M>) =>
  describe(`functions in images of AWS's layout, on ${name}`, { ...needs(...needed), timeout: 60_000 }, () => {
    it.layer(machine, { timeout: "60 seconds", excludeTestServices: true })((it) => {
      const bench = { it, run }
      speaks(bench, "node", node)
      speaks(bench, "our node", node)
      speaks(bench, "python", python)
      speaks(bench, "our python", python)
      speaks(bench, "java", java)
      throughEmulator(bench, "node", node)
      throughEmulator(bench, "python", python)
      startsWithEmulator(bench)
    })
  })
