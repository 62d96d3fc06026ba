/** Artifacts for tests: known only to this process, copied to a temporary directory that goes with the layer's scope. */
import { Effect, Layer } from "effect"
import { createHash } from "node:crypto"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative, resolve } from "node:path"
import { ArtifactNotFound, StorageUnavailable } from "#domain/Failure"
import { type Artifact, ArtifactStore, type ArtifactSources } from "#services/ArtifactStore"

const digestOf = (directory: string): string => {
  const hash = createHash("sha256")
  const items = readdirSync(directory, { withFileTypes: true, recursive: true })
  const paths = items.map((item) => ({ item, path: join(item.parentPath, item.name) }))
  for (const { item, path } of paths.toSorted((one, other) => (one.path < other.path ? -1 : 1))) {
    hash.update(JSON.stringify(relative(directory, path)))
    if (item.isFile()) hash.update(String(statSync(path).mode & 0o111)).update(readFileSync(path))
    if (!item.isSymbolicLink()) continue
    const target = readlinkSync(path)
    if (!`${resolve(dirname(path), target)}/`.startsWith(`${directory}/`)) throw new Error(`${path} leads out of it`)
    hash.update(target)
  }
  return hash.digest("hex")
}

export const layer: Layer.Layer<ArtifactStore> = Layer.effect(
  ArtifactStore,
  Effect.gen(function* () {
    const artifacts = new Map<string, Artifact>()
    const root = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-MemoryArtifactStore-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )

    const put = ({ taskDirectory, layerDirectories }: ArtifactSources): Artifact => {
      const digests = [taskDirectory, ...layerDirectories].map(digestOf)
      const digest = createHash("sha256").update(digests.join()).digest("hex")
      const image = `artifact:sha256:${digest}`
      const known = artifacts.get(image)
      if (known !== undefined) return known
      const [task, opt] = [join(root, digest, "task"), join(root, digest, "opt")]
      cpSync(taskDirectory, task, { recursive: true, verbatimSymlinks: true })
      if (layerDirectories.length > 0) mkdirSync(opt)
      for (const directory of layerDirectories) cpSync(directory, opt, { recursive: true, verbatimSymlinks: true })
      const artifact = { image, taskDirectory: task, optDirectory: layerDirectories.length > 0 ? opt : undefined }
      artifacts.set(image, artifact)
      return artifact
    }

    return {
      put: (sources) =>
        Effect.try({
          try: () => put(sources),
          catch: (cause) => new StorageUnavailable({ detail: `${sources.taskDirectory}: ${String(cause)}`, cause })
        }),
      find: (image) => {
        const artifact = artifacts.get(image)
        return artifact === undefined ? Effect.fail(new ArtifactNotFound({ image })) : Effect.succeed(artifact)
      },
      keepOnly: (images) =>
        Effect.sync(() => {
          const outdated = [...artifacts.values()].filter(({ image }) => !images.has(image))
          for (const { image, taskDirectory } of outdated) {
            artifacts.delete(image)
            rmSync(dirname(taskDirectory), { recursive: true, force: true })
          }
          return outdated.length
        })
    }
  })
)
