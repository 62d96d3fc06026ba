/** Certificates and keys as files of one directory. */
import { randomUUID } from "node:crypto"
import { mkdir, open, rename, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Redacted, Schema } from "effect"
import type { Issued } from "./CertificateAuthority.ts"

/** Names of the files of a certificate and of its key. */
export interface Pair {
  readonly certificate: string
  readonly key: string
}

export const authority: Pair = { certificate: "rootCA.crt", key: "rootCA.key" }
export const server: Pair = { certificate: "server.crt", key: "server.key" }
export const client: Pair = { certificate: "client.crt", key: "client.key" }

/** Why nothing was written, and what to do about it. */
export class CertificatesNotMade extends Schema.TaggedError<CertificatesNotMade>()("CertificatesNotMade", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.path} ${this.detail}`
  }
}

const attempt = <A>(path: string, work: () => Promise<A>): Effect.Effect<A, CertificatesNotMade> =>
  Effect.tryPromise({
    try: work,
    catch: (cause) =>
      new CertificatesNotMade({
        path,
        detail: `cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`
      })
  })

/** The directory of keys is for nobody else; one that is there stays as it is. */
export const makeDirectory = (directory: string) =>
  attempt(directory, () => mkdir(directory, { recursive: true, mode: 0o700 }))

const isThere = Effect.fnUntraced(function* (directory: string, name: string) {
  const path = join(directory, name)
  const found = yield* attempt(path, () =>
    stat(path).catch((cause: NodeJS.ErrnoException) => (cause.code === "ENOENT" ? undefined : Promise.reject(cause)))
  )
  if (found?.isDirectory() === true) {
    return yield* new CertificatesNotMade({
      path,
      detail: "is a directory, where a file should be: remove it (Docker makes one when it is to mount a missing file)"
    })
  }
  return found !== undefined
})

export interface Presence {
  readonly certificate: boolean
  readonly key: boolean
}

export const presence = (directory: string, pair: Pair): Effect.Effect<Presence, CertificatesNotMade> =>
  Effect.all({ certificate: isThere(directory, pair.certificate), key: isThere(directory, pair.key) })

const everybody = 0o644
const owner = 0o600

const writeWhole = async (path: string, content: string, mode: number): Promise<void> => {
  const file = await open(path, "wx", mode)
  try {
    await file.writeFile(content)
    // Otherwise a crash of the machine could leave an empty file under the new name.
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Replaces all of them, or none: a rename is the only thing that is done to a file that somebody may read. */
export const replace = (
  directory: string,
  pairs: ReadonlyArray<readonly [Pair, Issued]>
): Effect.Effect<void, CertificatesNotMade> => {
  const files = pairs.flatMap(([pair, { certificate, key }]) => [
    { path: join(directory, pair.key), content: Redacted.value(key), mode: owner },
    { path: join(directory, pair.certificate), content: certificate, mode: everybody }
  ])
  const suffix = randomUUID()
  const fresh = (path: string) => `${path}.${suffix}`
  return attempt(directory, async () => {
    try {
      for (const { content, mode, path } of files) await writeWhole(fresh(path), content, mode)
      for (const { path } of files) await rename(fresh(path), path)
    } finally {
      for (const { path } of files) await rm(fresh(path), { force: true })
    }
  })
}
