/** What networks leave behind when the plugins that made them were never asked, or could not take it back. */
import { Effect } from "effect"
import { readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import type { CniSettings } from "./CniSettings.ts"
import { run, succeed, CommandFailed } from "./Command.ts"
import * as MasqueradeText from "./MasqueradeText.ts"

/** Others write to the same tables: how long a command waits for its turn. */
const waitSeconds = "5"

/** The files of a directory that are addresses; beside them lie the plugin's own. */
const isAddress = (file: string): boolean => /^\d+\.\d+\.\d+\.\d+$/.test(file)

const addressFiles = (directory: string) =>
  Effect.tryPromise(async () => {
    const files = (await readdir(directory)).filter(isAddress)
    return Promise.all(
      files.map(async (file) => {
        const path = join(directory, file)
        const [holder = ""] = (await readFile(path, "utf8")).split(/\s/, 1)
        return { path, holder }
      })
    )
    // The directory is made with the first address; a file that goes meanwhile is another's to remove.
  }).pipe(Effect.orElseSucceed((): ReadonlyArray<{ path: string; holder: string }> => []))

export const make = (settings: CniSettings, addressDirectory: string) => {
  const saved = succeed(settings, "iptables-save", "-t", "nat")

  return {
    /** Everybody who has an address, or a rule of translation. */
    holders: Effect.gen(function* () {
      const files = yield* addressFiles(addressDirectory)
      return [...files.map(({ holder }) => holder), ...MasqueradeText.ids(yield* saved)]
    }),

    /** Addresses and rules of some are taken from them. */
    sweep: Effect.fnUntraced(function* (isGone: (name: string) => boolean) {
      const files = yield* addressFiles(addressDirectory)
      const paths = files.flatMap(({ holder, path }) => (isGone(holder) ? [path] : []))
      yield* Effect.tryPromise({
        try: () => Promise.all(paths.map((path) => rm(path, { force: true }))),
        catch: (cause) => new CommandFailed({ message: `removing addresses: ${String(cause)}` })
      })
      const input = MasqueradeText.removal(yield* saved, isGone)
      if (input === undefined) return
      const args = ["--wait", waitSeconds, "--noflush"]
      const { code, stderr } = yield* run(settings, { program: "iptables-restore", args, input })
      if (code !== 0) return yield* new CommandFailed({ message: `iptables-restore: ${stderr.trim()}` })
    })
  }
}
