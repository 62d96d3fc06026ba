/** What networks leave behind when the plugins that made them were never asked, or could not take it back. */
import { Effect } from "effect"
import { rm } from "node:fs/promises"
import * as AddressFiles from "./AddressFiles.ts"
import type { CniSettings } from "./CniSettings.ts"
import { run, succeed, CommandFailed } from "./Command.ts"
import * as MasqueradeText from "./MasqueradeText.ts"

/** Others write to the same tables: how long a command waits for its turn. */
const waitSeconds = "5"

export const make = (settings: CniSettings, addressDirectory: string) => {
  const saved = succeed(settings, "iptables-save", "-t", "nat")

  return {
    /** Everybody who has an address, or a rule of translation. */
    holders: Effect.gen(function* () {
      const files = yield* AddressFiles.read(addressDirectory)
      return [...files.map(({ holder }) => holder), ...MasqueradeText.ids(yield* saved)]
    }),

    /** Addresses and rules of some are taken from them. */
    sweep: Effect.fnUntraced(function* (isGone: (name: string) => boolean) {
      const files = yield* AddressFiles.read(addressDirectory)
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
