/** `resources.yml` on disk. */
import { Effect, Result, Schema } from "effect"
import { readFile } from "node:fs/promises"
import { type Resources, readFile as decode, resourcesOf } from "#domain/Resources"
import * as ManifestText from "#layers/files/ManifestText"

/** The file cannot be read, is not YAML, or says something else than resources: everything that is wrong, each with its line. */
class ResourcesInvalid extends Schema.TaggedError<ResourcesInvalid>()("ResourcesInvalid", {
  complaints: Schema.Array(Schema.String)
}) {
  override get message() {
    return this.complaints.join("\n")
  }
}

/** `undefined` when there is no such file. */
export const read = Effect.fnUntraced(function* (
  path: string
): Effect.fn.Return<Resources | undefined, ResourcesInvalid> {
  const text = yield* Effect.tryPromise({
    try: () =>
      readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined
        throw error
      }),
    catch: (cause) => new ResourcesInvalid({ complaints: [`${path}: ${String(cause)}`] })
  })
  if (text === undefined) return undefined
  const file = ManifestText.read({ path, text, decode })
  if (Result.isFailure(file)) return yield* new ResourcesInvalid({ complaints: file.failure })
  return resourcesOf(file.success)
})
