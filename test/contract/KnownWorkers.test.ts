/** Whose a worker is, is asked of the engine once; whose it is not, every time. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import { ContainerId, OwnerId } from "#domain/Worker"
import * as KnownWorkers from "#layers/grpc/KnownWorkers"
import * as MemoryContainerRuntime from "#layers/memory/MemoryContainerRuntime"
import * as MemoryWorkers from "#layers/memory/MemoryWorkers"
import { ContainerRuntime } from "#services/ContainerRuntime"
import * as WorkerFunctions from "#test/support/WorkerFunctions"

const mine = OwnerId.make("mine")
const theirs = OwnerId.make("theirs")

/** An engine that counts its lists, and can be told to give none. */
const countingLayer = () => {
  const lists = { count: 0, fails: false }
  const engine = Layer.effect(
    ContainerRuntime,
    Effect.map(ContainerRuntime, (runtime) => ({
      ...runtime,
      list: (owner: OwnerId) =>
        Effect.suspend(() => {
          lists.count += 1
          return lists.fails ? Effect.fail(new RuntimeUnavailable({ detail: "no answer" })) : runtime.list(owner)
        })
    }))
  ).pipe(
    Layer.provide(MemoryContainerRuntime.layer()),
    Layer.provide(MemoryWorkers.layer(WorkerFunctions.memoryFunctions))
  )
  const layer = Layer.mergeAll(KnownWorkers.layer.pipe(Layer.provideMerge(engine)), WorkerFunctions.inMemory)
  return { lists, layer }
}

const counting = <A, E>(
  story: (
    lists: { count: number; fails: boolean },
    room: {
      readonly known: KnownWorkers.KnownWorkers["Service"]
      readonly runtime: ContainerRuntime["Service"]
      readonly spec: ReturnType<WorkerFunctions.WorkerFunctions["Service"]["spec"]>
    }
  ) => Effect.Effect<A, E>
) => {
  const { layer, lists } = countingLayer()
  return Effect.gen(function* () {
    const known = yield* KnownWorkers.KnownWorkers
    const runtime = yield* ContainerRuntime
    const { spec } = yield* WorkerFunctions.WorkerFunctions
    return yield* story(lists, { known, runtime, spec: spec("echo") })
  }).pipe(Effect.provide(layer))
}

it.effect("a worker that is remembered is found without a question", () =>
  counting((lists, { known, runtime, spec }) =>
    Effect.gen(function* () {
      const worker = yield* runtime.ensure(spec, mine)
      known.remember(worker)
      assert.strictEqual((yield* known.find(worker.id, mine)).name, worker.name)
      assert.strictEqual(lists.count, 0)
    })
  )
)

it.effect("a worker of an earlier run is looked for once, and known from then on", () =>
  counting((lists, { known, runtime, spec }) =>
    Effect.gen(function* () {
      const worker = yield* runtime.ensure(spec, mine)
      yield* known.find(worker.id, mine)
      yield* known.find(worker.id, mine)
      assert.strictEqual(lists.count, 1)
      known.forget(worker.id)
      yield* known.find(worker.id, mine)
      assert.strictEqual(lists.count, 2)
    })
  )
)

it.effect("a worker of another is refused, remembered or not, and stays the other's", () =>
  counting((_, { known, runtime, spec }) =>
    Effect.gen(function* () {
      const worker = yield* runtime.ensure(spec, theirs)
      assert.strictEqual((yield* Effect.flip(known.find(worker.id, mine)))._tag, "NotOwner")
      known.remember(worker)
      assert.strictEqual((yield* Effect.flip(known.find(worker.id, mine)))._tag, "NotOwner")
      assert.strictEqual((yield* known.find(worker.id, theirs)).owner, theirs)
    })
  )
)

it.effect("a worker that nobody has is not found, and one that the engine lost is forgotten with the next list", () =>
  counting((_, { known, runtime, spec }) =>
    Effect.gen(function* () {
      const nobody = ContainerId.make("nobody")
      assert.strictEqual((yield* Effect.flip(known.find(nobody, mine)))._tag, "ContainerNotFound")
      const worker = yield* runtime.ensure(spec, mine)
      known.remember(worker)
      yield* runtime.destroy(worker.id, mine)
      assert.strictEqual((yield* known.find(worker.id, mine)).id, worker.id)
      yield* Effect.flip(known.find(nobody, mine))
      assert.strictEqual((yield* Effect.flip(known.find(worker.id, mine)))._tag, "ContainerNotFound")
    })
  )
)

it.effect("an engine that gives no list is told as such, and known workers are found nevertheless", () =>
  counting((lists, { known, runtime, spec }) =>
    Effect.gen(function* () {
      const worker = yield* runtime.ensure(spec, mine)
      known.remember(worker)
      lists.fails = true
      assert.strictEqual((yield* known.find(worker.id, mine)).id, worker.id)
      assert.strictEqual((yield* Effect.flip(known.find(worker.id, theirs)))._tag, "RuntimeUnavailable")
    })
  )
)
