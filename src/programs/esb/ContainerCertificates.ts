/**
 * What containers read of the certificates of a stack: copies in a directory of their own. The authority's key, which certifies
 * new servers, is not among them.
 */
import { mkdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { authority, client, server } from "#layers/x509/FilePairs"
import { attempt, replaceFile } from "./Home.ts"

const everybody = 0o644
const owner = 0o600

/** Keys first: who reads between two renames finds a pair that does not fit, and looks again. */
const files = [
  { name: authority.certificate, mode: everybody },
  ...[server, client].flatMap(({ certificate, key }) => [
    { name: key, mode: owner },
    { name: certificate, mode: everybody }
  ])
]

/** Of the certificates in this directory. */
export const directoryIn = (certificates: string): string => join(certificates, "containers")

/** `undefined` where there is none. */
const textAt = async (path: string): Promise<string | undefined> =>
  readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined
    throw error
  })

/** Makes the copies equal to what they are copies of, each by a rename. They belong to whom their directory belongs. */
export const keep = (certificates: string) => {
  const directory = directoryIn(certificates)
  return attempt(`The certificates for containers in ${directory} cannot be kept`, async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    for (const { mode, name } of files) {
      const content = await readFile(join(certificates, name), "utf8")
      if (content !== (await textAt(join(directory, name)))) await replaceFile(join(directory, name), content, mode)
    }
  })
}
