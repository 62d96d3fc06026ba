/** What becomes of workers whose engine does not do as it is asked: the same for every engine. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, References } from "effect"
import { FunctionName } from "#domain/FunctionName"
import { ContainerId, OwnerId, type WorkerSpec } from "#domain/Worker"
import * as EngineContainerRuntime from "#layers/containers/EngineContainerRuntime"
import type { RuntimeOptions } from "#layers/containers/RuntimeSettings"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { eventually } from "#test/support/Eventually"
import * as ScriptedEngine from "#test/support/ScriptedEngine"

const mine = OwnerId.make("mine")
const identity = { brand: "esb", environment: "test" }
const spec: WorkerSpec = {
  functionName: FunctionName.make("hello"),
  image: "image:1",
  environment: {},
  specHash: "one"
}

type Script = ReturnType<typeof ScriptedEngine.make>

const runtimeOn = ({ engine }: Script, options: Partial<RuntimeOptions> = {}) =>
  EngineContainerRuntime.layer({ identity, ...options }).pipe(
    Layer.provide([engine, ScriptedEngine.others]),
    Layer.provide(Layer.succeed(References.MinimumLogLevel, "Error"))
  )

const states = ({ containers }: Script) => [...containers.values()].map(({ state }) => state)

const statuses = Effect.flatMap(ContainerRuntime, ({ list }) =>
  Effect.map(list(mine), (workers) => workers.map(({ status }) => status))
)

describe("workers in containers of any engine", () => {
  it.live("leave nothing when they are not made, nor when they are not started", () => {
    const script = ScriptedEngine.make()
    return Effect.gen(function* () {
      const { ensure } = yield* ContainerRuntime
      for (const [deed, kind] of [
        ["prepare", "refused"],
        ["run", "lost"]
      ] as const) {
        script.fail(deed, kind)
        const failure = yield* Effect.flip(ensure(spec, mine))
        assert.strictEqual(failure.message, `Failed to start container hello: the engine has ${kind} it`)
        assert.deepStrictEqual([states(script), yield* statuses], [[], []])
        script.fail(deed, undefined)
      }
      assert.deepStrictEqual(script.deeds, ["prepare", "prepare", "run", "remove"])
    }).pipe(Effect.provide(runtimeOn(script)))
  })

  it.live("that may stand frozen, because nobody has heard, are thawed by whoever wakes them", () => {
    const script = ScriptedEngine.make()
    return Effect.gen(function* () {
      const { ensure, resume, suspend } = yield* ContainerRuntime
      const { id } = yield* ensure(spec, mine)
      script.fail("freeze", "lost")
      assert.strictEqual((yield* Effect.flip(suspend(id, mine)))._tag, "RuntimeUnavailable")
      assert.deepStrictEqual([states(script), yield* statuses], [["frozen"], ["RUNNING"]])
      yield* resume(id, mine)
      assert.deepStrictEqual(states(script), ["running"])
    }).pipe(Effect.provide(runtimeOn(script)))
  })

  it.live("whose owner leaves while they are being frozen are told to be frozen", () => {
    const script = ScriptedEngine.make()
    return Effect.gen(function* () {
      const { ensure, suspend } = yield* ContainerRuntime
      const { id } = yield* ensure(spec, mine)
      const [asked, answered] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      script.freezeAfter(Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(answered)))
      const freezing = yield* Effect.forkChild(suspend(id, mine))
      yield* Deferred.await(asked)
      const leaving = yield* Effect.forkChild(Fiber.interrupt(freezing), { startImmediately: true })
      yield* Deferred.succeed(answered, undefined)
      yield* Fiber.join(leaving)
      assert.deepStrictEqual([states(script), yield* statuses], [["frozen"], ["PAUSED"]])
    }).pipe(Effect.provide(runtimeOn(script)))
  })

  it.live("whose freezing was refused run on, and are not thawed", () => {
    const script = ScriptedEngine.make()
    return Effect.gen(function* () {
      const { ensure, resume, suspend } = yield* ContainerRuntime
      const { id } = yield* ensure(spec, mine)
      script.fail("freeze", "refused")
      yield* Effect.flip(suspend(id, mine))
      yield* resume(id, mine)
      assert.deepStrictEqual(script.deeds, ["prepare", "run", "freeze"])
      script.fail("freeze", undefined)
      yield* suspend(id, mine)
      yield* suspend(id, mine)
      assert.deepStrictEqual(script.deeds, ["prepare", "run", "freeze", "freeze"])
      assert.deepStrictEqual(yield* statuses, ["PAUSED"])
    }).pipe(Effect.provide(runtimeOn(script)))
  })

  it.live("are thawed where a stranger has frozen them, and left where their owner wants them so", () => {
    const script = ScriptedEngine.make()
    return Effect.gen(function* () {
      const { ensure, suspend } = yield* ContainerRuntime
      const [wanted, unwanted] = [yield* ensure(spec, mine), yield* ensure(spec, mine)]
      yield* suspend(wanted.id, mine)
      script.freezePast(wanted.name)
      script.freezePast(unwanted.name)
      yield* eventually(
        "one is thawed",
        Effect.sync(() => script.containers.get(unwanted.name)?.state),
        (state) => state === "running"
      )
      assert.strictEqual(script.containers.get(wanted.name)?.state, "frozen")
    }).pipe(Effect.provide(runtimeOn(script)))
  })

  it.live("are looked at, each, when the engine is heard again, also where it cannot tell of one", () => {
    const script = ScriptedEngine.make()
    return Effect.gen(function* () {
      const { ensure } = yield* ContainerRuntime
      const [one, other] = [yield* ensure(spec, mine), yield* ensure(spec, mine)]
      script.fail("look", "lost", one.name)
      script.containers.set(other.name, { name: other.name, state: "frozen" })
      yield* script.reconnect
      assert.deepStrictEqual(states(script), ["running", "running"])
    }).pipe(Effect.provide(runtimeOn(script)))
  })

  it.live("that were made ahead, and are not started any more, are replaced before anybody hears of it", () => {
    const script = ScriptedEngine.make()
    return Effect.gen(function* () {
      const { ensure } = yield* ContainerRuntime
      yield* ensure(spec, mine)
      const [, ahead] = yield* eventually(
        "one is made ahead",
        Effect.sync(() => [...script.containers.values()]),
        ({ length }) => length === 2
      )
      assert.isDefined(ahead)
      script.fail("run", "refused", ahead?.name)
      const { name } = yield* ensure(spec, mine)
      assert.notStrictEqual(name, ahead?.name)
      assert.strictEqual(script.containers.get(name)?.state, "running")
      assert.isFalse(script.containers.has(ahead?.name ?? ""))
    }).pipe(Effect.provide(runtimeOn(script, { preparedPerSpec: 1, prepareAfterMs: 1 })))
  })

  it.live("that were made ahead, and end before their making is known, are replaced as well", () => {
    const script = ScriptedEngine.make()
    return Effect.gen(function* () {
      script.endMadeAfter(1)
      yield* (yield* ContainerRuntime).ensure(spec, mine)
      yield* eventually(
        "another takes its place",
        Effect.sync(() => states(script).join()),
        (all) => all === "running,made"
      )
      assert.deepStrictEqual(script.deeds, ["prepare", "run", "prepare", "remove", "prepare"])
    }).pipe(Effect.provide(runtimeOn(script, { preparedPerSpec: 1, prepareAfterMs: 1 })))
  })

  it.live("that resist their end stay listed, and keep no other from going", () => {
    const script = ScriptedEngine.make()
    return Effect.gen(function* () {
      const { destroy, ensure, gc } = yield* ContainerRuntime
      const [one] = [yield* ensure(spec, mine), yield* ensure(spec, mine)]
      script.containers.set("nobody's", { name: "nobody's", state: "running" })
      script.fail("remove", "refused", one.name)
      assert.strictEqual((yield* Effect.flip(destroy(one.id, mine)))._tag, "RuntimeUnavailable")
      assert.strictEqual((yield* Effect.flip(gc(() => true))).message, "the engine has refused it")
      assert.deepStrictEqual([...script.containers.keys()], [one.name])
      script.fail("remove", undefined, one.name)
      assert.strictEqual(yield* gc(() => true), 1)
      assert.deepStrictEqual([[...script.containers.keys()], yield* statuses], [[], []])
    }).pipe(Effect.provide(runtimeOn(script)))
  })

  it.live("whose owner is back by the time at which they were to go stay", () => {
    const script = ScriptedEngine.make()
    return Effect.gen(function* () {
      const { ensure, gc, suspend } = yield* ContainerRuntime
      const [one, other] = [yield* ensure(spec, mine), yield* ensure(spec, mine)]
      const [asked, answered] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      script.freezeAfter(Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(answered)))
      const freezing = yield* Effect.forkChild(suspend(one.id, mine))
      yield* Deferred.await(asked)
      let isGone = true
      const collecting = yield* Effect.forkChild(gc(() => isGone))
      yield* eventually(
        "the other one goes",
        Effect.sync(() => script.containers.has(other.name)),
        (isThere) => !isThere
      )
      isGone = false
      yield* Deferred.succeed(answered, undefined)
      yield* Fiber.join(freezing)
      assert.strictEqual(yield* Fiber.join(collecting), 1)
      assert.deepStrictEqual([states(script), yield* statuses], [["frozen"], ["PAUSED"]])
    }).pipe(Effect.provide(runtimeOn(script)))
  })

  it.live("of an earlier run go on as they were, and those that never ran are removed", () => {
    const script = ScriptedEngine.make()
    for (const state of ["made", "running", "frozen"] as const) script.containers.set(state, { name: state, state })
    return Effect.gen(function* () {
      const { resume } = yield* ContainerRuntime
      assert.deepStrictEqual(yield* statuses, ["RUNNING", "PAUSED"])
      yield* eventually(
        "it is frozen again",
        Effect.sync(() => states(script)),
        ([, state]) => state === "frozen"
      )
      yield* resume(ContainerId.make("frozen"), mine)
      assert.deepStrictEqual(states(script), ["running", "running"])
    }).pipe(
      Effect.provide(runtimeOn(script)),
      Effect.andThen(Effect.sync(() => assert.deepStrictEqual(states(script), ["running", "running"])))
    )
  })
})
