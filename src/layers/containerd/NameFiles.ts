/** Where workers look up names: two files of the stack, which take the place of those in their image. */
import { Effect } from "effect"
import { mkdir, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { RuntimeUnavailable } from "#domain/Failure"
import { hostname } from "./ContainerSpec.ts"

export interface NameFiles {
  readonly resolver: string
  readonly hosts: string
}

const hosts = `127.0.0.1 localhost ${hostname}\n::1 localhost ip6-localhost\n`

/** In one step: workers of an earlier run have the old file, and nobody ever has half of one. */
const replace = async (path: string, text: string): Promise<string> => {
  await writeFile(`${path}.new`, text, { mode: 0o644 })
  await rename(`${path}.new`, path)
  return path
}

/** `nameserver` is an address. */
export const write = (directory: string, nameserver: string): Effect.Effect<NameFiles, RuntimeUnavailable> =>
  Effect.tryPromise({
    try: async () => {
      await mkdir(directory, { recursive: true, mode: 0o755 })
      return {
        resolver: await replace(join(directory, "resolv.conf"), `nameserver ${nameserver}\n`),
        hosts: await replace(join(directory, "hosts"), hosts)
      }
    },
    catch: (cause) => new RuntimeUnavailable({ detail: `the names of workers: ${String(cause)}`, cause })
  })
