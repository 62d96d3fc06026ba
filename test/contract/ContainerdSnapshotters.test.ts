/** What images and containers are kept by, where that is disks, or where containerd cannot do it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { OwnerId } from "#domain/Worker"
import * as ContainerdApi from "#layers/containerd/ContainerdApi"
import * as ContainerdImages from "#layers/containerd/ContainerdImages"
import * as ContainerdSettings from "#layers/containerd/ContainerdSettings"
import { Containers } from "#layers/containerd/generated/containerd/containers_pb"
import { Content } from "#layers/containerd/generated/containerd/content_pb"
import { Diff } from "#layers/containerd/generated/containerd/diff_pb"
import { Leases } from "#layers/containerd/generated/containerd/leases_pb"
import { Snapshots } from "#layers/containerd/generated/containerd/snapshots_pb"
import { Tasks } from "#layers/containerd/generated/containerd/tasks_pb"
import * as ImageLook from "#layers/containerd/ImageLook"
import * as MountedDisk from "#layers/containerd/MountedDisk"
import * as SnapshotterCheck from "#layers/containerd/SnapshotterCheck"
import * as OciRegistry from "#layers/registry/OciRegistry"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as BlockFiles from "#test/support/BlockFiles"
import * as Containerd from "#test/support/Containerd"
import * as ContainerdWire from "#test/support/ContainerdWire"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import * as DiskKeepers from "#test/support/DiskKeepers"
import { needs } from "#test/support/Engines"
import * as FunctionImage from "#test/support/FunctionImage"
import * as ImageArchive from "#test/support/ImageArchive"
import * as ImageTree from "#test/support/ImageTree"
import { specOf } from "#test/support/WorkerFunctions"
import { call } from "./ContainerRuntimeContract.ts"

const mine = OwnerId.make("gateway-mine")

const peopled = ImageArchive.make(
  "docker.io/esb-test/peopled:1",
  {
    "etc/passwd": { text: "root:x:0:0::/:/bin/sh\napp:x:1234:4321::/:/bin/sh\n" },
    "opt/extensions/relay": ImageTree.script("#!/bin/sh\n"),
    "opt/extensions/notes.txt": { text: "no program" }
  },
  { Entrypoint: ["/run"], User: "app" }
)

const echo = Effect.map(
  Effect.promise(() => FunctionImage.archive()),
  ({ reference }) => specOf(reference, "index.echo")
)

const started = Effect.gen(function* () {
  const runtime = yield* ContainerRuntime
  const client = yield* WorkerClient
  const worker = yield* runtime.ensure(yield* echo, mine)
  yield* client.ready(worker)
  const { payload } = yield* client.send(worker, call(worker, { n: 1 }))
  assert.deepStrictEqual(JSON.parse(Buffer.from(payload).toString()), { n: 1 })
  return worker
})

/** What nobody holds is gone when this returns. A disk that was let go of is one until then. */
const collected = ({ ctr }: Pick<Containerd.Containerd, "ctr">) =>
  Effect.gen(function* () {
    yield* ctr("leases", "delete", "--sync", yield* ctr("leases", "create"))
  })

/** Workers that see only this end of the wire. */
const behind = (wire: ContainerdWire.ContainerdWire, snapshotter: string) =>
  ContainerdWorkers.onMachine({ containerd: { snapshotter } }).pipe(
    Layer.provide(
      Layer.effect(
        ContainerdWorkers.Machine,
        Effect.map(ContainerdWorkers.Machine, (machine) => ({ ...machine, socket: wire.socket }))
      )
    )
  )

for (const { kept, make, name, needed, series } of DiskKeepers.everyKeeper("cni")) {
  describe(`disks ${kept}, by ${name}`, { ...needed, timeout: 60_000 }, () => {
    it.live("hold workers, which start, answer, freeze and wake, and none is left", () =>
      Effect.gen(function* () {
        const disks = yield* make
        const settings = { containerd: { snapshotter: disks.snapshotter } }
        yield* Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const client = yield* WorkerClient
          const [one, other] = yield* Effect.all([started, started])
          assert.strictEqual(disks.devices().length, 2)
          assert.match(yield* ContainerdWorkers.inside(one, "cat /proc/mounts"), disks.root)
          yield* runtime.suspend(one.id, mine)
          yield* runtime.resume(one.id, mine)
          const { payload } = yield* client.send(one, call(one, { n: 2 }))
          assert.deepStrictEqual(JSON.parse(Buffer.from(payload).toString()), { n: 2 })
          yield* Effect.forEach([one, other], ({ id }) => runtime.destroy(id, mine), { concurrency: 2 })
          assert.deepStrictEqual(disks.devices(), [])
          const machine = yield* ContainerdWorkers.Machine
          yield* collected(machine)
          const snapshots = yield* machine.ctr("snapshots", "--snapshotter", disks.snapshotter, "list")
          assert.notInclude(snapshots, "Active")
          assert.include(snapshots, "Committed")
        }).pipe(Effect.provide(ContainerdWorkers.layer(settings, { series, config: disks.config })))
      }).pipe(Effect.scoped)
    )

    it.live("are looked into for the users and the extensions of an image, and let go of", () =>
      Effect.gen(function* () {
        const disks = yield* make
        const peer = yield* Containerd.make({ series, config: disks.config })
        yield* peer.ctr("images", "import", peopled.path)
        const identity = { brand: "esb", environment: "test" }
        const places = { identity, directory: peer.directory }
        const settings = { ...ContainerdSettings.defaultsOf(places), ...places, snapshotter: disks.snapshotter }
        yield* Effect.gen(function* () {
          const images = yield* ContainerdImages.make({ pullPolicy: "never", snapshotter: disks.snapshotter })
          const lookInto = yield* ImageLook.make(settings)
          assert.deepStrictEqual(yield* lookInto(yield* images.get(peopled.reference)), {
            user: { uid: 1234, gid: 4321 },
            extensionNames: ["relay"]
          })
        }).pipe(
          Effect.provide([
            OciRegistry.layer(),
            ContainerdApi.layer({ namespace: peer.namespace, socketPath: peer.socket })
          ])
        )
        yield* collected(peer)
        assert.deepStrictEqual(disks.devices(), [])
        assert.notInclude(yield* peer.ctr("snapshots", "--snapshotter", disks.snapshotter, "list"), "Active")
      }).pipe(Effect.scoped)
    )
  })
}

for (const { name, needed, series } of Containerd.everyVersion("cni").filter(({ keepsDisks }) => keepsDisks)) {
  describe(`disks in place of those of devmapper, by ${name}`, { ...needed, timeout: 60_000 }, () => {
    it.live("are asked for in the words in which devmapper would be, from the layers to the worker", () =>
      Effect.gen(function* () {
        const disks = yield* BlockFiles.make
        yield* Effect.gen(function* () {
          const machine = yield* ContainerdWorkers.Machine
          const wire = yield* ContainerdWire.make(machine, { here: "devmapper", there: "blockfile" })
          const worker = yield* Effect.gen(function* () {
            const runtime = yield* ContainerRuntime
            const worker = yield* started
            yield* runtime.destroy(worker.id, mine)
            return worker
          }).pipe(Effect.provide(behind(wire, "devmapper")))

          const prepared = wire.asked(Snapshots.method.prepare)
          const mounted = wire.answered(Snapshots.method.prepare).map(({ mounts }) => mounts)
          const extracts = prepared.flatMap((fields, at) => (fields.key.startsWith("extract-") ? [at] : []))
          const applied = wire.asked(Diff.method.apply)
          const committed = wire.asked(Snapshots.method.commit)
          const removed = wire.asked(Snapshots.method.remove)
          for (const { snapshotter } of [...prepared, ...committed, ...removed, ...wire.asked(Snapshots.method.stat)]) {
            assert.strictEqual(snapshotter, "devmapper")
          }
          assert.isAbove(extracts.length, 0)
          assert.deepStrictEqual(
            applied.map(({ mounts }) => mounts),
            extracts.map((at) => mounted[at])
          )
          assert.deepStrictEqual(
            committed.map(({ key }) => key),
            extracts.map((at) => prepared[at]?.key)
          )

          const image = committed.at(-1)?.name ?? ""
          const held = wire.asked(Leases.method.addResource).map(({ resource }) => [resource?.type, resource?.id])
          assert.deepStrictEqual(
            held.filter(([type]) => type !== "content"),
            committed.map(({ name }) => ["snapshots/devmapper", name])
          )
          const labels = Object.assign(
            {},
            ...wire.asked(Content.method.update).map(({ info }) => info?.labels)
          ) as Record<string, string>
          assert.strictEqual(labels["containerd.io/gc.ref.snapshot.devmapper"], image)

          const [created] = wire.asked(Containers.method.create)
          assert.deepInclude(created?.container, { snapshotter: "devmapper", snapshotKey: worker.name })
          const own = prepared.findIndex(({ key }) => key === worker.name)
          assert.deepInclude(prepared[own], { parent: image })
          assert.deepStrictEqual(wire.asked(Tasks.method.create)[0]?.rootfs, mounted[own])
          assert.deepInclude(mounted[own]?.[0], { type: "ext4" })
          assert.include(
            removed.map(({ key }) => key),
            worker.name
          )
        }).pipe(Effect.provide(ContainerdWorkers.machine({ series, config: disks.config })), Effect.scoped)
      }).pipe(Effect.scoped)
    )
  })
}

describe("a disk", needs("containerd"), () => {
  it.live("that cannot be mounted is named, with why", () =>
    Effect.gen(function* () {
      const mount = { type: "ext4", source: "/nowhere/disk", options: ["loop", "rw"] }
      const failure = yield* Effect.flip(MountedDisk.root(mount, tmpdir()))
      assert.include(failure.message, "/nowhere/disk cannot be looked into: mount")
    }).pipe(Effect.scoped)
  )
})

/** A pool that no machine has. */
const pool = [
  `[plugins."io.containerd.snapshotter.v1.devmapper"]`,
  `pool_name = "esb-test-no-such-pool"`,
  `root_path = "${join(tmpdir(), "no-such-pool")}"`,
  `base_image_size = "64MB"`
].join("\n")

for (const { name, needed, series } of Containerd.everyVersion("cni")) {
  describe(`a snapshotter that ${name} lacks`, { ...needed, timeout: 60_000 }, () => {
    const checked = Effect.fnUntraced(function* (snapshotter: string, config = "") {
      const { namespace, socket: socketPath } = yield* Containerd.make({ series, config })
      const api = ContainerdApi.layer({ namespace, socketPath })
      yield* Effect.provide(SnapshotterCheck.check(snapshotter), api)
    }, Effect.scoped)

    const refusal = Effect.fnUntraced(function* (snapshotter: string, config?: string) {
      const failure = yield* Effect.flip(checked(snapshotter, config))
      return failure._tag === "SnapshotterUnavailable" ? failure : assert.fail(failure.message)
    })

    it.live("is named, with why it does not work, what it needs, and what else there is", () =>
      Effect.gen(function* () {
        const unknown = yield* refusal("of-nobody")
        assert.strictEqual(unknown.reason, undefined)
        assert.include(unknown.message, "of-nobody is of no use: this containerd does not have it")
        assert.includeMembers([...unknown.others], ["native", "overlayfs"])
        const untold = yield* refusal("devmapper")
        assert.include(untold.reason, "devmapper not configured")
        assert.notInclude(untold.others, "devmapper")
        assert.include(untold.message, "pool_name")
        const absent = yield* refusal("devmapper", pool)
        assert.isAbove(absent.reason?.length ?? 0, 0)
        assert.notInclude(absent.reason, "not configured")
        assert.include(absent.message, absent.reason ?? "")
        yield* checked("overlayfs")
      })
    )

    it.live("keeps no worker, and nothing of one that was to start", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const { ctr } = yield* ContainerdWorkers.Machine
        const failure = yield* Effect.flip(runtime.ensure(yield* echo, mine))
        assert.strictEqual(failure._tag, "RuntimeUnavailable")
        assert.include(failure.message, "Snapshotter devmapper is of no use")
        assert.include(failure.message, "devmapper not configured")
        for (const kind of ["containers", "tasks", "leases"]) {
          assert.strictEqual(yield* ctr(kind, "list", "--quiet"), "")
        }
      }).pipe(Effect.provide(ContainerdWorkers.layer({ containerd: { snapshotter: "devmapper" } }, { series })))
    )
  })
}
