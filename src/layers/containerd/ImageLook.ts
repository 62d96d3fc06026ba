/** What has to be known of an image before a container of it can be told what it is: looked for in its files, once. */
import { Effect, Result } from "effect"
import { randomUUID } from "node:crypto"
import * as ContainerExtensions from "#domain/ContainerExtensions"
import { RuntimeUnavailable } from "#domain/Failure"
import { ContainerdApi } from "./ContainerdApi.ts"
import type { ContainerdImage } from "./ContainerdImages.ts"
import type { ContainerdSettings } from "./ContainerdSettings.ts"
import type { ContainerUser } from "#domain/ContainerLimits"
import { Snapshots } from "./generated/containerd/snapshots_pb.ts"
import * as ImageFiles from "./ImageFiles.ts"
import * as ImageUser from "./ImageUser.ts"
import * as Leases from "./Leases.ts"
import * as MountedDisk from "./MountedDisk.ts"

export interface Seen {
  /** Whom it names; `undefined`: nobody. */
  readonly user: ContainerUser | undefined
  /** Programs that AWS's platform starts beside the runtime; sorted. */
  readonly extensionNames: ReadonlyArray<string>
}

/** Longer than to look into an image takes. */
const lookLimitMs = 60_000

const extensions = ContainerExtensions.directory.slice(1)

/** Images of which it is remembered; the one that was looked into first is forgotten first. */
const rememberedImages = 1_000

export const make = Effect.fnUntraced(function* ({ directory, snapshotter }: ContainerdSettings) {
  const { call } = yield* ContainerdApi
  const leases = yield* Leases.make(lookLimitMs)
  const remembered = new Map<string, Seen>()

  /** A snapshot that nobody writes to tells where its layers are. It is not collected meanwhile, and is should this process end. */
  const layersOf = Effect.fnUntraced(function* (parent: string) {
    const key = `look-${randomUUID()}`
    const lease = yield* leases.lease
    const { mounts } = yield* Effect.acquireRelease(
      call(Snapshots.method.prepare, { snapshotter, key, parent }, { lease, repeatable: false }),
      () => Effect.ignore(call(Snapshots.method.remove, { snapshotter, key }), { log: "Debug" })
    )
    const [disk] = mounts
    if (disk === undefined) return []
    const layers = ImageFiles.layersOf(mounts)
    if (layers !== undefined && !(yield* ImageFiles.isMixed(layers, extensions))) return layers
    return [yield* MountedDisk.root(disk, directory)]
  })

  const look = Effect.fnUntraced(function* ({ chainId, config, name }: ContainerdImage) {
    const layers = yield* Effect.catchTag(layersOf(chainId), "DiskUnreadable", (cause) =>
      Effect.fail(new RuntimeUnavailable({ detail: `image ${name}: ${cause.message}`, cause }))
    )
    const [users, groups, extensionNames] = yield* Effect.all([
      ImageFiles.read(layers, "etc/passwd"),
      ImageFiles.read(layers, "etc/group"),
      ImageFiles.programsIn(layers, extensions)
    ])
    const user = ImageUser.find(config.config?.User ?? "", { users, groups })
    return Result.isSuccess(user)
      ? { user: user.success, extensionNames }
      : yield* new RuntimeUnavailable({ detail: `image ${name}: ${user.failure}` })
  }, Effect.scoped)

  return Effect.fnUntraced(function* (image: ContainerdImage) {
    const known = remembered.get(image.digest)
    if (known !== undefined) return known
    const seen = yield* look(image)
    const [oldest] = remembered.keys()
    if (remembered.size >= rememberedImages && oldest !== undefined) remembered.delete(oldest)
    remembered.set(image.digest, seen)
    return seen
  })
})
