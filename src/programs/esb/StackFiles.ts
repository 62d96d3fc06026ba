/** What containers read of a home: certificates, configuration and secrets, as files that their user may read and nobody else. */
import { Redacted } from "effect"
import { chown, mkdir, readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import * as Home from "./Home.ts"

/** Who runs the programs in our images. */
const imageUser = 10_001

export interface ContainerUser {
  readonly uid: number
  readonly gid: number
}

/** Root's files would not be readable for a user without rights; anybody else's are, for containers that run as he. */
export const containerUser = (): ContainerUser => {
  const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()]
  return uid === 0 ? { uid: imageUser, gid: imageUser } : { uid, gid }
}

/** Makes a directory the containers' user's, with what is in it. */
const handOver = async (directory: string, { gid, uid }: ContainerUser): Promise<void> => {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  if (process.getuid?.() !== 0) return
  await chown(directory, uid, gid)
  for (const name of await readdir(directory)) await chown(join(directory, name), uid, gid)
}

/** By the names of their files. */
export type Secrets = Readonly<Record<string, Redacted.Redacted>>

export const secretsIn = (home: string): string => join(home, "secrets")

/** Whether a file says something else than it is to say now; one that is not there yet does not. */
const isOutdated = async (path: string, content: string): Promise<boolean> => {
  const before = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return content
    throw error
  })
  return before !== content
}

/**
 * Files that are written later into these directories belong to the same user. `certificates` has those of containers. Answers whether a secret is another one now:
 * a container goes on with the one it was started with.
 */
export const make = (home: string, certificates: string, secrets: Secrets) =>
  Home.attempt(`The files for containers in ${home} cannot be made`, async () => {
    const user = containerUser()
    await handOver(join(home, "config"), user)
    await handOver(secretsIn(home), user)
    await handOver(certificates, user)
    let isChanged = false
    for (const [name, value] of Object.entries(secrets)) {
      const path = join(secretsIn(home), name)
      isChanged = (await isOutdated(path, Redacted.value(value))) || isChanged
      await Home.replaceFile(path, Redacted.value(value), 0o600)
    }
    return isChanged
  })
