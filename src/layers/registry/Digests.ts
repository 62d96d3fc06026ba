/** Digests of content: `sha256:<hex>`, or one of its longer kin. */
import { createHash, type Hash } from "node:crypto"

const algorithmOf = (digest: string): string => digest.slice(0, digest.indexOf(":"))

/** Something that becomes a digest of the same kind as this one. */
export const hashLike = (digest: string): Hash => createHash(algorithmOf(digest))

export const finish = (hash: Hash, like: string): string => `${algorithmOf(like)}:${hash.digest("hex")}`

export const digestLike = (digest: string, bytes: Uint8Array): string => finish(hashLike(digest).update(bytes), digest)

export const sha256 = (bytes: Uint8Array): string => digestLike("sha256:", bytes)
