/** What becomes of containers when their Agent ends, as planned or not, and comes back. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer } from "node:net"
import { OwnerId, type Worker, type WorkerSpec } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { docker } from "#test/support/DockerImages"
import * as DockerWorkers from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as FunctionImage from "#test/support/FunctionImage"
import * as RecordedLog from "#test/support/RecordedLog"
import { type Asked, specOf } from "#test/support/WorkerFunctions"
import { call } from "./ContainerRuntimeContract.ts"

const mine = OwnerId.make("gateway-mine")
const nobodyIsGone = (): boolean => false

const functionNamed = (handler: string, asked?: Asked) =>
  Effect.map(
    Effect.promise(() => FunctionImage.reference()),
    (image) => specOf(image, `index.${handler}`, asked)
  )

/** One run of an Agent's engine after another, for the same stack. */
const runs = Effect.map(
  DockerWorkers.lastingStack(),
  (stack) =>
    <A, E>(
      run: Effect.Effect<A, E, ContainerRuntime | WorkerClient>,
      options: Omit<DockerWorkers.Options, "stack" | "leavesWorkers"> = {}
    ) =>
      run.pipe(Effect.provide(DockerWorkers.layer({ ...options, stack, leavesWorkers: true })))
)

const started = Effect.fnUntraced(function* (spec: WorkerSpec) {
  const runtime = yield* ContainerRuntime
  const client = yield* WorkerClient
  const worker = yield* runtime.ensure(spec, mine)
  yield* client.ready(worker)
  return worker
})

const answerOf = Effect.fnUntraced(function* (worker: Worker, event: unknown) {
  const client = yield* WorkerClient
  const result = yield* client.send(worker, call(worker, event))
  return { text: Buffer.from(result.payload).toString(), initDurationMs: result.report.initDurationMs }
})

const listed = Effect.flatMap(ContainerRuntime, (runtime) => runtime.list(mine))

/** The one worker of the owner, once its phase is this. */
const returned = (phase: string, withinMs?: number) =>
  Effect.map(
    eventually(`a worker is ${phase}`, listed, (states) => states.length === 1 && states[0]?.phase === phase, withinMs),
    ([state]) => state ?? assert.fail("no worker")
  )

const isGone = eventually("no worker is left", listed, (states) => states.length === 0)

const stateAtTheEngine = ({ name }: Worker) => docker("inspect", "--format", "{{.State.Status}}", name)

const isUnknownToTheEngine = ({ name }: Worker) =>
  Effect.map(docker("ps", "--all", "--quiet", "--filter", `name=^/${name}$`), (found) =>
    assert.strictEqual(found, "", `${name} is still there`)
  )

describe("containers whose Agent comes back", { ...needs("docker"), timeout: 60_000 }, () => {
  it.live("go on where they were, as the workers they have been", () =>
    Effect.gen(function* () {
      const run = yield* runs
      const spec = yield* functionNamed("where")
      const before = yield* run(
        Effect.gen(function* () {
          const worker = yield* started(spec)
          return { worker, answer: yield* answerOf(worker, {}) }
        })
      )
      assert.strictEqual(yield* stateAtTheEngine(before.worker), "running")
      yield* run(
        Effect.gen(function* () {
          const [first] = yield* listed
          const { createdAtUnixSeconds, ...same } = before.worker
          assert.deepInclude(first, { ...same, status: "RUNNING" })
          assert.isAtMost(Math.abs((first?.createdAtUnixSeconds ?? 0) - createdAtUnixSeconds), 2)
          assert.include(["init", "idle"], first?.phase)
          const worker = yield* returned("idle")
          const again = yield* answerOf(worker, {})
          assert.strictEqual(again.text, before.answer.text)
          assert.isUndefined(again.initDurationMs)
          const runtime = yield* ContainerRuntime
          assert.isAbove((yield* runtime.metrics(worker.id, mine)).memoryBytes, 1_048_576)
          assert.strictEqual(yield* runtime.gc(nobodyIsGone), 0)
          yield* runtime.destroy(worker.id, mine)
          yield* isUnknownToTheEngine(worker)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("stay frozen, and wake as others do", () =>
    Effect.gen(function* () {
      const run = yield* runs
      const spec = yield* functionNamed("echo")
      yield* run(
        Effect.gen(function* () {
          const worker = yield* started(spec)
          yield* (yield* ContainerRuntime).suspend(worker.id, mine)
        })
      )
      yield* run(
        Effect.gen(function* () {
          const [first] = yield* listed
          assert.deepInclude(first, { status: "PAUSED" })
          const worker = yield* returned("idle")
          assert.strictEqual(worker.status, "PAUSED")
          yield* eventually("it is frozen", stateAtTheEngine(worker), (status) => status === "paused", 20_000)
          yield* (yield* ContainerRuntime).resume(worker.id, mine)
          assert.strictEqual((yield* answerOf(worker, { n: 1 })).text, '{"n":1}')
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("are not frozen again when their owner was faster", () =>
    Effect.gen(function* () {
      const run = yield* runs
      const spec = yield* functionNamed("echo")
      yield* run(
        Effect.gen(function* () {
          const worker = yield* started(spec)
          yield* (yield* ContainerRuntime).suspend(worker.id, mine)
        })
      )
      yield* run(
        Effect.gen(function* () {
          const [worker] = yield* listed
          if (worker === undefined) return assert.fail("no worker")
          yield* (yield* ContainerRuntime).resume(worker.id, mine)
          assert.strictEqual((yield* answerOf(worker, { n: 1 })).text, '{"n":1}')
          yield* Effect.sleep(500)
          assert.strictEqual(yield* stateAtTheEngine(worker), "running")
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("end a call of the time before first, and give nobody its answer", () =>
    Effect.gen(function* () {
      const run = yield* runs
      const spec = yield* functionNamed("spin")
      yield* run(
        Effect.gen(function* () {
          const worker = yield* started(spec)
          const client = yield* WorkerClient
          yield* Effect.forkChild(Effect.exit(client.send(worker, call(worker, { ms: 3_000 }))))
          yield* returned("busy")
        })
      )
      yield* run(
        Effect.gen(function* () {
          const worker = yield* returned("init")
          const refused = yield* Effect.flip(answerOf(worker, { ms: 7 }).pipe(Effect.timeout(1_000)))
          assert.strictEqual(refused._tag, "TimeoutError")
          assert.strictEqual((yield* returned("init")).id, worker.id)
          yield* returned("idle")
          assert.strictEqual((yield* answerOf(worker, { ms: 8 })).text, "8")
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("are removed when they do not ask for a call again in time", () =>
    Effect.gen(function* () {
      const run = yield* runs
      const spec = yield* functionNamed("hang", { timeoutMs: 60_000 })
      const worker = yield* run(
        Effect.gen(function* () {
          const made = yield* started(spec)
          const client = yield* WorkerClient
          yield* Effect.forkChild(Effect.exit(client.send(made, call(made))))
          yield* returned("busy")
          return made
        })
      )
      yield* run(
        Effect.gen(function* () {
          yield* returned("init")
          yield* isGone
        }),
        { door: { initLimitMs: 700 } }
      )
      yield* isUnknownToTheEngine(worker)
    }).pipe(Effect.scoped)
  )

  it.live("are removed when they have ended meanwhile, and when they end before they ask again", () =>
    Effect.gen(function* () {
      const run = yield* runs
      const spec = yield* functionNamed("hang")
      const [one, other] = yield* run(
        Effect.gen(function* () {
          const both = yield* Effect.all([started(spec), started(spec)])
          const client = yield* WorkerClient
          yield* Effect.forkChild(Effect.exit(client.send(both[1], call(both[1]))))
          yield* eventually("the other is busy", listed, (states) => states.some(({ phase }) => phase === "busy"))
          return both
        })
      )
      yield* docker("kill", one.name)
      yield* run(
        Effect.gen(function* () {
          assert.strictEqual((yield* returned("init")).id, other.id)
          yield* docker("kill", other.name)
          yield* isGone
        })
      )
      yield* Effect.forEach([one, other], isUnknownToTheEngine)
    }).pipe(Effect.scoped)
  )

  it.live("are removed when their door cannot be where it was", () =>
    Effect.gen(function* () {
      const run = yield* runs
      const spec = yield* functionNamed("echo")
      const [one, other] = yield* run(Effect.all([started(spec), started(spec)]))
      const { host, port } = one.address
      const taken = yield* Effect.acquireRelease(
        Effect.promise(
          () =>
            new Promise<ReturnType<typeof createServer>>((resolve) => {
              // The network has its address for as long as somebody is in it.
              const server = createServer((socket) => socket.destroy()).listen(port, host, () => resolve(server))
            })
        ),
        (server) => Effect.sync(() => void server.close())
      )
      assert.isTrue(taken.listening)
      yield* run(
        Effect.gen(function* () {
          yield* eventually("the other is back", listed, ([state]) => state?.phase === "idle")
          assert.deepStrictEqual(
            (yield* listed).map(({ id }) => id),
            [other.id]
          )
        })
      )
      yield* isUnknownToTheEngine(one)
      yield* run(
        Effect.map(listed, (states) => assert.deepStrictEqual(states, [])),
        {
          door: { ports: { first: 18_000, last: 18_099 } }
        }
      )
      yield* isUnknownToTheEngine(other)
    }).pipe(Effect.scoped)
  )

  it.live("have every line they write in the log once", () =>
    Effect.gen(function* () {
      const run = yield* runs
      const log = RecordedLog.make()
      const lines = () => log.records.filter(({ message }) => /x{20}/.test(message)).length
      const spec = yield* functionNamed("talk")
      const worker = yield* run(
        Effect.gen(function* () {
          const made = yield* started(spec)
          yield* answerOf(made, { lines: 3, width: 20 })
          yield* eventually("three lines", Effect.sync(lines), (count) => count === 3)
          return made
        }),
        { log }
      )
      yield* run(
        Effect.gen(function* () {
          yield* returned("idle")
          yield* answerOf(worker, { lines: 2, width: 20 })
          yield* eventually("five lines", Effect.sync(lines), (count) => count >= 5)
          yield* Effect.sleep(200)
          assert.strictEqual(lines(), 5)
        }),
        { log }
      )
    }).pipe(Effect.scoped)
  )

  it.live("belong to their owner, and to their stack, as before", () =>
    Effect.gen(function* () {
      const run = yield* runs
      const spec = yield* functionNamed("echo")
      const worker = yield* run(started(spec))
      yield* run(
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const theirs = OwnerId.make("gateway-theirs")
          assert.deepStrictEqual(yield* runtime.list(theirs), [])
          assert.strictEqual((yield* Effect.flip(runtime.destroy(worker.id, theirs)))._tag, "NotOwner")
        })
      )
      yield* Effect.flatMap(ContainerRuntime, (runtime) => runtime.gc(() => true)).pipe(
        Effect.provide(DockerWorkers.layer())
      )
      yield* run(
        Effect.gen(function* () {
          yield* returned("idle")
          const runtime = yield* ContainerRuntime
          // Its owner has not been heard of for too long.
          assert.strictEqual(yield* runtime.gc(() => true), 1)
        })
      )
      yield* isUnknownToTheEngine(worker)
    }).pipe(Effect.scoped)
  )

  it.live("with an emulator in them count as busy for as long as a call may take, and go on", () =>
    Effect.gen(function* () {
      const run = yield* runs
      const image = yield* Effect.promise(() => FunctionImage.withEmulator())
      const spec = specOf(image, "index.echo", { timeoutMs: 3_000 })
      yield* run(Effect.flatMap(started(spec), (worker) => answerOf(worker, { n: 1 })))
      yield* run(
        Effect.gen(function* () {
          const worker = yield* returned("busy")
          assert.deepInclude(worker, { protocol: "rie", status: "RUNNING" })
          yield* returned("idle")
          assert.strictEqual((yield* answerOf(worker, { n: 2 })).text, '{"n":2}')
          const runtime = yield* ContainerRuntime
          yield* runtime.touch(worker.id, mine)
          yield* returned("busy")
        })
      )
    }).pipe(Effect.scoped)
  )
})
