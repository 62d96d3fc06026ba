/** What containers of containerd take from their image beside its files. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { OwnerId } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import * as ImageArchive from "#test/support/ImageArchive"
import * as ImageTree from "#test/support/ImageTree"
import { specOf } from "#test/support/WorkerFunctions"

const mine = OwnerId.make("gateway-mine")

const waiting = { Entrypoint: ["/bin/sh", "-c", "sleep 100"] }

/** A worker of an image that waits for nobody, with these files and settings besides. */
const workerOf = Effect.fnUntraced(function* (
  name: string,
  tree: ImageTree.Tree,
  config: Parameters<typeof ImageArchive.make>[2]
) {
  const { ctr } = yield* ContainerdWorkers.Machine
  const runtime = yield* ContainerRuntime
  const files = { ...ImageTree.system, ...ImageTree.shell("cat", "id", "sleep"), ...tree }
  const { path, reference } = ImageArchive.make(`docker.io/esb-test/${name}:1`, files, config)
  yield* ctr("images", "import", path)
  return yield* runtime.ensure(specOf(reference, "index.none"), mine)
})

describe("images in containerd", { ...needs("containerd", "cni"), timeout: 60_000 }, () => {
  it.live("name the user of their workers, by their own list, and are refused where that does not know the name", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const list = { "etc/passwd": { text: "root:x:0:0::/:/bin/sh\napp:x:1234:4321::/:/bin/sh\n" } }
      const named = yield* workerOf("named", list, { ...waiting, User: "app" })
      assert.strictEqual(yield* ContainerdWorkers.inside(named, "id -u; id -g"), "1234\n4321")
      const numbered = yield* workerOf("numbered", {}, { ...waiting, User: "7:8" })
      assert.strictEqual(yield* ContainerdWorkers.inside(numbered, "id -u; id -g"), "7\n8")
      const failure = yield* Effect.flip(workerOf("unknown", {}, { ...waiting, User: "somebody" }))
      assert.strictEqual(failure._tag, "RuntimeUnavailable")
      assert.include(failure.message, '"somebody"')
      for (const { id } of [named, numbered]) yield* runtime.destroy(id, mine)
    }).pipe(Effect.provide(ContainerdWorkers.layer()))
  )

  it.live("with nothing to start are refused by their name", () =>
    Effect.gen(function* () {
      const idle = yield* Effect.flip(workerOf("idle", {}, {}))
      assert.strictEqual(idle._tag, "RuntimeUnavailable")
      assert.include(idle.message, "does not say what to start")
    }).pipe(Effect.provide(ContainerdWorkers.layer()))
  )

  it.live("have workers that share who looks after them, where that is asked for, and end one by one", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const one = yield* workerOf("shared", {}, waiting)
      const other = yield* workerOf("shared", {}, waiting)
      yield* runtime.destroy(one.id, mine)
      assert.strictEqual(yield* ContainerdWorkers.inside(other, "id -u"), "993")
      yield* runtime.destroy(other.id, mine)
      assert.deepStrictEqual(yield* runtime.list(mine), [])
    }).pipe(Effect.provide(ContainerdWorkers.layer({ containerd: { sharesShim: true } })))
  )
})
