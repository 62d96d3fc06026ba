/** Who this Gateway is to the engines that keep its workers: a name that outlives its process. */
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { Effect, FileSystem } from "effect"
import { OwnerId } from "#domain/Worker"

/** As the settings say, else as an earlier start wrote it into `home`, else a new one written there now. */
export const ownerOf = Effect.fnUntraced(function* (home: string, given: string | undefined) {
  if (given !== undefined) {
    return OwnerId.make(given)
  }
  const files = yield* FileSystem.FileSystem
  const path = join(home, "owner")
  if (yield* files.exists(path)) {
    return OwnerId.make((yield* files.readFileString(path)).trim())
  }
  const fresh = `gateway-${randomBytes(4).toString("hex")}`
  yield* files.writeFileString(path, `${fresh}\n`, { mode: 0o600 })
  return OwnerId.make(fresh)
})
