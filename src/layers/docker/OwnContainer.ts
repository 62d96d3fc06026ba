/**
 * The container that this process runs in, where it runs in one of the engine it drives. A container's name of itself can be
 * anything; but engines of every version mount files of theirs in it, from a directory that is named after its id.
 */
import { Effect, Option } from "effect"
import { readFile } from "node:fs/promises"
import * as MountTable from "#domain/MountTable"
import { DockerApi, type EngineFailure, hasStatus } from "./DockerApi.ts"

export interface Mount {
  /** Directory in the container. */
  readonly destination: string
  /** The same directory on the engine's machine. */
  readonly source: string
}

export interface OwnContainer {
  readonly id: string
  /** Digest of its image. */
  readonly image: string
  readonly mounts: ReadonlyArray<Mount>
}

const engineFiles = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"]

/** `/var/lib/docker/containers/4f0c…/hostname` */
const inDirectoryOf = /\/containers\/([0-9a-f]{64})\/./

/** The id, by what is mounted for a process; `undefined` in none. */
export const idIn = (mounts: MountTable.MountTable): string | undefined =>
  mounts
    .filter(({ point }) => engineFiles.includes(point))
    .flatMap(({ root }) => inDirectoryOf.exec(root)?.[1] ?? [])
    .at(0)

/** `None`: this process runs in no container, or in one that the engine does not know. */
export const find: Effect.Effect<Option.Option<OwnContainer>, EngineFailure, DockerApi> = Effect.gen(function* () {
  // Systems without this file have no containers.
  const text = yield* Effect.orElseSucceed(
    Effect.tryPromise(() => readFile(MountTable.path, "utf8")),
    () => ""
  )
  const id = idIn(MountTable.read(text))
  if (id === undefined) return Option.none()
  const { call, engine } = yield* DockerApi
  return yield* call((abortSignal) => engine.getContainer(id).inspect({ abortSignal })).pipe(
    Effect.map(({ Image, Mounts }) =>
      Option.some({
        id,
        image: Image,
        mounts: Mounts.map(({ Destination, Source }) => ({ destination: Destination, source: Source }))
      })
    ),
    Effect.catchIf(hasStatus(404), () => Effect.succeedNone)
  )
})
