/** A start of a container of containerd that fails, at whichever of its steps and in whichever way: what is left of it is nothing. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import * as WorkerName from "#domain/WorkerName"
import { ContainerdApi } from "#layers/containerd/ContainerdApi"
import { Containers } from "#layers/containerd/generated/containerd/containers_pb"
import * as StackContainers from "#layers/containerd/StackContainers"
import { ContainerRuntime } from "#services/ContainerRuntime"
import * as Containerd from "#test/support/Containerd"
import { functionNamed, left, mine, nothing, started } from "#test/support/ContainerdSamples"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as FaultyContainerd from "#test/support/FaultyContainerd"

/** What only waits for news of containers, and of no start's concern. */
const besides = ["Tasks.Get", "Tasks.Metrics", "Version.Version"]

/** containerd collects by itself what nobody holds: at the latest when something else is released. */
const collected = Effect.gen(function* () {
  const { ctr } = yield* ContainerdWorkers.Machine
  // A release that was not heard is asked for again.
  yield* eventually("no lease is left", ctr("leases", "list", "--quiet"), (leases) => leases === "", 15_000)
  yield* ctr("leases", "create", "--id", "released")
  yield* ctr("leases", "delete", "--sync", "released")
})

/** Of networks, beside what containers are made of. */
const leftOfNetworks = Effect.map(ContainerdWorkers.Machine, ({ bridge, directory }) => ({
  records: readdirSync(join(directory, "networks")),
  addresses: readdirSync(join(directory, "addresses"), { recursive: true, encoding: "utf8" }).filter((path) =>
    /\/[\d.]+$/.test(path)
  ),
  ports: readdirSync(`/sys/class/net/${bridge}/brif`)
}))

const noNetworks = { records: [], addresses: [], ports: [] }

const gone = Effect.all({ left, networks: leftOfNetworks })
const nothingAtAll = { left: nothing, networks: noNetworks }

/** A run of its own, which has not seen the image yet, and no network ahead of any start. */
const fresh = <A, E, R>(use: (faulty: FaultyContainerd.FaultyContainerd) => Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const faulty = FaultyContainerd.make()
    const options = { between: faulty.layer, cni: { prepared: 0 } }
    const used = Effect.suspend(() => {
      faulty.recover()
      return use(faulty)
    })
    return Effect.provide(used, ContainerdWorkers.onMachine(options), { local: true })
  })

const come = Effect.gen(function* () {
  const runtime = yield* ContainerRuntime
  const worker = yield* started(yield* functionNamed("echo"))
  yield* runtime.destroy(worker.id, mine)
})

/** Whether the engine knows the image by then. */
const kinds = { first: Effect.void, second: come }
type Kind = keyof typeof kinds

/** All that a start asks containerd for, each method once. */
const stepsOf = (kind: Kind) =>
  fresh((faulty) =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      yield* kinds[kind]
      faulty.recover()
      const worker = yield* runtime.ensure(yield* functionNamed("echo"), mine)
      const asked = faulty.asked().filter((method) => !besides.includes(method))
      yield* runtime.destroy(worker.id, mine)
      return asked
    })
  )

/** Tells whether the start went well all the same, and fails when something of it is left. */
const failAt = (kind: Kind, method: string, how: FaultyContainerd.How) =>
  fresh((faulty) =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      yield* kinds[kind]
      faulty.fail(method, how)
      const outcome = yield* Effect.exit(runtime.ensure(yield* functionNamed("echo"), mine))
      if (Exit.isSuccess(outcome)) yield* runtime.destroy(outcome.value.id, mine)
      faulty.recover()
      yield* faulty.calm
      // What could not be removed while containerd was away, or was not there yet, the next collection removes.
      if (how === "away" || how === "late") yield* runtime.gc(() => false)
      yield* collected
      assert.deepStrictEqual(yield* gone, nothingAtAll, `${method} ${how}`)
      return Exit.isSuccess(outcome)
    })
  )

describe(
  "a start of a container of containerd that fails at one of its steps",
  { ...needs("containerd", "cni"), timeout: 240_000 },
  () => {
    for (const how of ["refused", "unanswered", "late", "away"] as const) {
      for (const kind of ["first", "second"] as const) {
        it.live(`leaves nothing that stays, whichever step of the ${kind} start of an image is ${how}`, () =>
          Effect.gen(function* () {
            const methods = yield* stepsOf(kind)
            assert.includeMembers([...methods], ["Containers.Create", "Tasks.Create", "Tasks.Start"])
            const wentWell = yield* Effect.filter(methods, (method) => failAt(kind, method, how))
            // What goes wrong with tidying up afterwards is no caller's concern.
            assert.deepStrictEqual(
              wentWell.filter((method) => !/\.(Delete|Remove)$/.test(method)),
              []
            )
          }).pipe(Effect.provide(ContainerdWorkers.machine()))
        )
      }
    }

    it.live("and so does an end whose steps fail, once it is asked for again", () =>
      Effect.gen(function* () {
        const methods = [
          "Tasks.Get",
          "Tasks.Kill",
          "Tasks.Wait",
          "Tasks.Delete",
          "Containers.Delete",
          "Snapshots.Remove"
        ]
        for (const method of methods) {
          yield* fresh((faulty) =>
            Effect.gen(function* () {
              const runtime = yield* ContainerRuntime
              const worker = yield* started(yield* functionNamed("echo"))
              faulty.fail(method, "refused")
              const failure = yield* Effect.flip(runtime.destroy(worker.id, mine))
              assert.include(failure.message, "the test refuses it", method)
              assert.strictEqual((yield* runtime.list(mine)).length, 1, method)
              yield* runtime.destroy(worker.id, mine)
              yield* eventually(
                `${method}: nothing is left`,
                gone,
                (all) => JSON.stringify(all) === JSON.stringify(nothingAtAll)
              )
            })
          )
        }
      }).pipe(Effect.provide(ContainerdWorkers.machine()))
    )
  }
)

/** A worker whose container is taken away behind everybody's back, so that only its task is left. */
const bereaved = Effect.gen(function* () {
  const { call } = yield* ContainerdApi
  const worker = yield* started(yield* functionNamed("echo"))
  yield* call(Containers.method.delete, { id: worker.name })
  assert.deepInclude(yield* left, { containers: "", tasks: worker.name })
})

for (const { name, needed, series } of Containerd.everyVersion("cni")) {
  describe(`a task of ${name} that has lost its container`, { ...needed, timeout: 60_000 }, () => {
    it.live("goes with the next start of the Agent, or the next collection", () =>
      Effect.gen(function* () {
        yield* fresh(() => bereaved)
        yield* fresh(() => Effect.void)
        yield* collected
        assert.deepStrictEqual(yield* gone, nothingAtAll)

        yield* fresh(() =>
          Effect.gen(function* () {
            const runtime = yield* ContainerRuntime
            // Of another run, so that this one knows nothing of it.
            yield* fresh(() => bereaved)
            assert.strictEqual(yield* runtime.gc(() => false), 1)
            yield* collected
            assert.deepStrictEqual(yield* gone, nothingAtAll)
          })
        )
      }).pipe(Effect.provide(ContainerdWorkers.machine({ series })))
    )

    it.live("stays where it is another stack's, whatever that is called", () =>
      fresh(() =>
        Effect.gen(function* () {
          const worker = yield* started(yield* functionNamed("echo"))
          // Its containers have names that begin as this one's does, and other labels.
          const longer = { brand: "esb", environment: "test" }
          assert.isTrue(WorkerName.isOf(longer, worker.name))
          assert.deepStrictEqual(yield* StackContainers.list(longer), [])
          assert.deepInclude(yield* left, { containers: worker.name, tasks: worker.name })
        })
      ).pipe(Effect.provide(ContainerdWorkers.machine({ series })))
    )
  })
}
