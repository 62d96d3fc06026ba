/**
 * What is known of each network, in a file of its own: from before anything of it is made until nothing is left, so that whoever
 * comes after a crash knows what to take back, and how it was made.
 */
import { Effect, Option, Schema } from "effect"
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { Conflist } from "#domain/Conflist"
import { NetworkUnavailable } from "#services/Cni"
import { Answer } from "./Plugins.ts"

export const Kept = Schema.Struct({
  /** The list by which it was made, whatever the configuration file says today. */
  conflist: Conflist,
  /** What the plugins answered; absent while they are asked. */
  answer: Schema.optionalKey(Answer)
})
export type Kept = typeof Kept.Type

const Stored = Schema.fromJsonString(Kept)
const decode = Schema.decodeUnknownOption(Stored)
const encode = Schema.encodeSync(Stored)

const suffix = ".json"
const isName = (name: string): boolean => /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT"

export const make = (directory: string) => {
  const attempt = <A>(what: string, action: () => Promise<A>) =>
    Effect.tryPromise({
      try: action,
      catch: (cause) => {
        const why = cause instanceof Error ? cause.message : String(cause)
        return new NetworkUnavailable({ detail: `${what} what is known of it: ${why}`, cause })
      }
    })
  const fileOf = (name: string) => join(directory, `${name}${suffix}`)

  return {
    write: (name: string, kept: Kept) =>
      attempt("writing", async () => {
        await mkdir(directory, { recursive: true, mode: 0o700 })
        const fresh = join(directory, `.${name}.new`)
        await writeFile(fresh, encode(kept), { mode: 0o600 })
        await rename(fresh, fileOf(name))
      }),

    /** None as well when the file is not of this kind: then it is removed like one that was being written. */
    read: (name: string): Effect.Effect<Option.Option<Kept>, NetworkUnavailable> =>
      isName(name)
        ? attempt("reading", async () => {
            try {
              return decode(await readFile(fileOf(name), "utf8"))
            } catch (error) {
              if (isMissing(error)) return Option.none()
              throw error
            }
          })
        : Effect.succeedNone,

    forget: (name: string) => attempt("forgetting", () => rm(fileOf(name), { force: true })),

    list: attempt("listing", async () => {
      try {
        const files = await readdir(directory)
        return files.flatMap((file) => (file.endsWith(suffix) ? [file.slice(0, -suffix.length)] : []))
      } catch (error) {
        if (isMissing(error)) return []
        throw error
      }
    })
  }
}
