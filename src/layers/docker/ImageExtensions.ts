/**
 * Which external extensions an image brings: on AWS the platform starts every program in `/opt/extensions` beside the runtime.
 * Nobody but the engine can look into an image, and it looks into containers only, so that one is made for it, once.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Effect, Semaphore, Stream } from "effect"
import { Tar } from "effect/encoding"
import { directory } from "#domain/ContainerExtensions"
import { selectorLabels } from "#domain/StackIdentity"
import type { ContainerImage } from "./ContainerImages.ts"
import { DockerApi, EngineFailure, hasStatus } from "./DockerApi.ts"
import type { DockerSettings } from "./DockerSettings.ts"

/** The engine reads the directory for us whole: what it may hold, and for how long it may be read. */
const readLimitBytes = 512 * 1_048_576
const readLimitMs = 60_000

/** Images that are looked into at a time. */
const parallelLooks = 4

/** Images of which it is remembered; the one that was looked into first is forgotten first. */
const rememberedImages = 1_000

/** What is known of one image; whoever comes while it is looked into waits for that. */
interface Known {
  readonly turn: Semaphore.Semaphore
  names: ReadonlyArray<string> | undefined
}

const executable = 0o111

/** As the engine lists it, beside `./`; what lies deeper is a program's own. */
const programName = ({ mode, path, type }: Tar.Header): ReadonlyArray<string> => {
  const name = path.replace(/^\.\//, "")
  if (name === "" || name.includes("/")) return []
  // Where a link leads to is not in the archive; one that leads to no program fails when it is started.
  const isProgram = type === "Symlink" || (type === "File" && (mode & executable) !== 0)
  return isProgram ? [name] : []
}

const unreadable = (cause: unknown): EngineFailure => {
  const detail = cause instanceof Error ? cause.message : String(cause)
  return new EngineFailure({ kind: "lost", message: `${directory} of an image cannot be read: ${detail}`, cause })
}

const tooLarge = `it holds more than ${readLimitBytes} bytes`

const namesIn = (archive: NodeJS.ReadableStream): Effect.Effect<ReadonlyArray<string>, EngineFailure> => {
  let size = 0
  return NodeStream.fromReadable<Uint8Array, EngineFailure>({ evaluate: () => archive, onError: unreadable }).pipe(
    Stream.tap((chunk) => {
      size += chunk.length
      return size > readLimitBytes ? Effect.fail(unreadable(new Error(tooLarge))) : Effect.void
    }),
    Stream.pipeThroughChannel(Tar.decode<EngineFailure>()),
    Stream.runFold(
      (): ReadonlyArray<string> => [],
      (names, entry) => [...names, ...programName(entry.header)]
    ),
    Effect.timeoutOrElse({
      duration: readLimitMs,
      orElse: () => Effect.fail(unreadable(new Error(`not within ${readLimitMs} ms`)))
    }),
    Effect.catchTag("TarError", (error) => Effect.fail(unreadable(error))),
    Effect.map((names) => names.toSorted())
  )
}

export const make = Effect.fnUntraced(function* ({ identity }: Pick<DockerSettings, "identity">) {
  const { call, engine } = yield* DockerApi
  const images = new Map<string, Known>()
  const looks = Semaphore.makeUnsafe(parallelLooks)

  const knownOf = (digest: string): Known => {
    const known = images.get(digest)
    if (known !== undefined) return known
    const [oldest] = images.keys()
    if (images.size >= rememberedImages && oldest !== undefined) images.delete(oldest)
    const added: Known = { turn: Semaphore.makeUnsafe(1), names: undefined }
    images.set(digest, added)
    return added
  }

  /** Never started, so that its command is of no account; labelled so that it is collected where it cannot be removed. */
  const container = (image: ContainerImage, name: string) =>
    Effect.acquireRelease(
      call(
        (abortSignal) =>
          engine.createContainer({
            name,
            Image: image.digest,
            Cmd: ["none"],
            Labels: { ...selectorLabels(identity) },
            HostConfig: { NetworkMode: "none" },
            abortSignal
          }),
        { repeatable: false }
      ),
      () =>
        Effect.ignore(
          call((abortSignal) => engine.getContainer(name).remove({ force: true, v: true, abortSignal })),
          { log: "Warn" }
        )
    )

  const look = Effect.fnUntraced(function* (image: ContainerImage, name: string) {
    yield* container(image, name)
    // With the dot, a directory that is a link is followed.
    return yield* call((abortSignal) =>
      engine.getContainer(name).getArchive({ path: `${directory}/.`, abortSignal })
    ).pipe(
      Effect.flatMap(namesIn),
      // The container is there, so what is missing is the directory.
      Effect.catchIf(hasStatus(404), () => Effect.succeed<ReadonlyArray<string>>([]))
    )
  }, Effect.scoped)

  /** Sorted names of the programs in an image's `/opt/extensions`. `name` is for the container that is looked into, if one is. */
  return Effect.fnUntraced(function* (image: ContainerImage, name: string) {
    const known = knownOf(image.digest)
    if (known.names !== undefined) return known.names
    return yield* known.turn.withPermit(
      Effect.suspend(() => {
        if (known.names !== undefined) return Effect.succeed(known.names)
        return Effect.tap(looks.withPermit(look(image, name)), (names) =>
          Effect.sync(() => {
            known.names = names
          })
        )
      })
    )
  })
})
