/**
 * Images made by a Docker Engine, with the builder that every engine has. A build ends with the request that asked for it, so
 * that one that is interrupted, or takes too long, leaves no container behind.
 */
import { Effect, Layer, Redacted, Result } from "effect"
import type { ImageBuildOptions } from "dockerode"
import { createHash } from "node:crypto"
import { parse } from "#domain/ImageReference"
import {
  type BuiltImage,
  type DirectoryRequest,
  ImageBuilder,
  ImageBuildFailed,
  ImageEngineUnreachable,
  ImagePushFailed,
  type ImageRequest,
  type Progress
} from "#services/ImageBuilder"
import * as BuildContext from "./BuildContext.ts"
import * as BuildLog from "./BuildLog.ts"
import { DockerApi, hasStatus } from "./DockerApi.ts"
import * as EngineMessages from "./EngineMessages.ts"

/** Who the engine says it is at a registry. */
export interface RegistryLogin {
  /** Host and port, as references name it: `127.0.0.1:5010`. */
  readonly registry: string
  readonly username: string
  readonly password: Redacted.Redacted
}

export interface Options {
  /** How a reader knows the engine: `unix:///var/run/docker.sock`. */
  readonly engine: string
  /** Each is told to its registry alone. */
  readonly logins?: ReadonlyArray<RegistryLogin>
}

/** What engines call the registry of names without one. */
const dockersOwn = "https://index.docker.io/v1/"

const longestBuildMs = 1_800_000
/** Of a pull or a push. */
const longestTransferMs = 600_000

/** All that decides what is in an image. `baseId` tells a base from another one that has its name later. */
const fingerprintOf = ({ contextDigest, dockerfile, labels }: ImageRequest, baseId: string): string =>
  createHash("sha256")
    .update(JSON.stringify([dockerfile, contextDigest, baseId, labels]))
    .digest("hex")

/** A name without its tag, and the tag; a colon before the last slash belongs to a port. */
const splitTag = (reference: string): readonly [name: string, tag: string] => {
  const colon = reference.lastIndexOf(":")
  return colon > reference.lastIndexOf("/")
    ? [reference.slice(0, colon), reference.slice(colon + 1)]
    : [reference, "latest"]
}

/** `undefined` of what is no reference, which the engine says better. */
const hostOf = (reference: string): string | undefined => Result.getOrUndefined(parse(reference))?.host

const make = Effect.fnUntraced(function* ({ logins = [] }: Options) {
  const { call, engine } = yield* DockerApi

  /** Without any credentials the engine asks for some; empty ones are those of a registry that wants none. */
  const credentialsFor = (reference: string) => {
    const host = hostOf(reference)
    const login = logins.find(({ registry }) => registry === host)
    return login === undefined
      ? { username: "", password: "", serveraddress: "" }
      : { username: login.username, password: Redacted.value(login.password), serveraddress: login.registry }
  }

  const find = (reference: string) =>
    call(() => engine.getImage(reference).inspect()).pipe(Effect.catchIf(hasStatus(404), () => Effect.undefined))

  /** Succeeds with the engine's complaint, if it has one. */
  const transfer = (start: (abortSignal: AbortSignal) => Promise<NodeJS.ReadableStream>) =>
    call(async (abortSignal) => EngineMessages.follow(await start(abortSignal), () => undefined), {
      limitMs: longestTransferMs
    })

  const baseOf = Effect.fnUntraced(function* ({ base, baseAdvice, progress }: ImageRequest) {
    const present = yield* find(base)
    if (present !== undefined) return present.Id
    progress(`pulling ${base}`)
    // Of a name alone the engine would pull every tag.
    const wanted = base.includes("@") ? base : splitTag(base).join(":")
    const complaint = yield* transfer((abortSignal) =>
      engine.pull(wanted, { abortSignal, authconfig: credentialsFor(base) })
    ).pipe(Effect.catch(({ message }) => Effect.succeed(message)))
    const pulled = complaint === undefined ? yield* find(base) : undefined
    if (pulled !== undefined) return pulled.Id
    const why = complaint ?? "the engine does not have it afterwards"
    return yield* Effect.fail({ message: `its base ${base} could not be pulled: ${why}; ${baseAdvice}` })
  })

  const run = Effect.fnUntraced(function* (
    { isFresh, progress, reference }: Pick<ImageRequest, "isFresh" | "progress" | "reference">,
    entries: ReadonlyArray<BuildContext.Entry>,
    given: ImageBuildOptions
  ) {
    const log = BuildLog.make(progress)
    let imageId = ""

    const complaint = yield* call(
      async (abortSignal) => {
        const broken = new AbortController()
        const archive = BuildContext.archive(entries).once("error", (cause) => broken.abort(cause))
        const options = {
          ...given,
          t: reference,
          nocache: isFresh,
          rm: true,
          // Containers of a step that failed go, too.
          forcerm: true,
          abortSignal: AbortSignal.any([abortSignal, broken.signal])
        }
        try {
          return await EngineMessages.follow(await engine.buildImage(archive, options), ({ aux, stream }) => {
            log.take(stream ?? "")
            imageId = aux?.ID ?? imageId
          })
        } catch (cause) {
          throw broken.signal.aborted ? broken.signal.reason : cause
        } finally {
          archive.destroy()
        }
      },
      { limitMs: longestBuildMs, repeatable: false }
    )
    if (complaint !== undefined) return yield* Effect.fail({ message: log.explain(complaint) })
    return imageId === "" ? yield* Effect.fail({ message: log.explain("the engine names no image") }) : imageId
  })

  /** Its name went to another image; it stays when a container or another name needs it. */
  const removeUnnamed = (imageId: string) =>
    find(imageId).pipe(
      Effect.flatMap((left) =>
        left === undefined || (left.RepoTags ?? []).length > 0
          ? Effect.void
          : call((abortSignal) => engine.getImage(imageId).remove({ abortSignal }))
      ),
      // Room on a disk, and nothing that the new image depends on.
      Effect.ignore
    )

  const build = Effect.fn("DockerImageBuilder.build")(
    function* (request: ImageRequest) {
      const baseId = yield* baseOf(request)
      const fingerprint = fingerprintOf(request, baseId)
      const present = yield* find(request.reference)
      if (!request.isFresh && present?.Config.Labels?.[request.fingerprintLabel] === fingerprint) {
        const unchanged: BuiltImage = { outcome: "unchanged", imageId: present.Id }
        return unchanged
      }
      const labels = { ...request.labels, [request.fingerprintLabel]: fingerprint }
      const imageId = yield* run(request, yield* BuildContext.entries(request.dockerfile, request.context), { labels })
      if (present !== undefined && present.Id !== imageId) yield* removeUnnamed(present.Id)
      const built: BuiltImage = { outcome: "built", imageId }
      return built
    },
    (effect, { reference }) =>
      Effect.mapError(effect, ({ message }) => new ImageBuildFailed({ reference, detail: message }))
  )

  /** What the engine is to say at the registries of bases, which it pulls by itself here. */
  const registryconfig = Object.fromEntries(
    logins.map(({ password, registry, username }) => [
      registry === "docker.io" ? dockersOwn : registry,
      { username, password: Redacted.value(password) }
    ])
  )

  const buildDirectory = Effect.fn("DockerImageBuilder.buildDirectory")(
    function* (request: DirectoryRequest) {
      const { dockerfile, labels, reference, target } = request
      const present = yield* find(reference)
      const imageId = yield* run(request, yield* BuildContext.directory(request.directory, dockerfile), {
        dockerfile,
        labels,
        buildargs: request.arguments,
        registryconfig,
        ...(target === undefined ? {} : { target })
      })
      if (present?.Id === imageId) return { outcome: "unchanged", imageId } satisfies BuiltImage
      if (present !== undefined) yield* removeUnnamed(present.Id)
      return { outcome: "built", imageId } satisfies BuiltImage
    },
    (effect, { reference }) =>
      Effect.mapError(effect, ({ message }) => new ImageBuildFailed({ reference, detail: message }))
  )

  const push = Effect.fn("DockerImageBuilder.push")(
    function* (reference: string, progress: Progress) {
      const [name, tag] = splitTag(reference)
      progress(`pushing ${reference}`)
      const complaint = yield* transfer((abortSignal) =>
        engine.getImage(name).push({ tag, abortSignal, authconfig: credentialsFor(reference) })
      )
      if (complaint !== undefined) return yield* Effect.fail({ message: complaint })
    },
    (effect, reference) => Effect.mapError(effect, ({ message }) => new ImagePushFailed({ reference, detail: message }))
  )

  const refused = (reference: string) => (failure: { readonly message: string }) =>
    new ImagePushFailed({ reference, detail: failure.message })

  yield* call(() => engine.ping())
  return {
    build,
    buildDirectory,
    push,
    find: (reference: string) =>
      find(reference).pipe(
        Effect.map((image) => image?.Id),
        Effect.mapError(refused(reference))
      ),
    tag: (image: string, reference: string) => {
      const [repo, tag] = splitTag(reference)
      return call(() => engine.getImage(image).tag({ repo, tag })).pipe(
        Effect.asVoid,
        Effect.mapError(refused(reference))
      )
    }
  }
})

/** Fails when no engine answers. */
export const layer = (options: Options): Layer.Layer<ImageBuilder, ImageEngineUnreachable, DockerApi> =>
  Layer.effect(
    ImageBuilder,
    Effect.mapError(
      make(options),
      ({ message }) => new ImageEngineUnreachable({ engine: options.engine, detail: message })
    )
  )
