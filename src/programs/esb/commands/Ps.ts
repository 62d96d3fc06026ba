import { Effect } from "effect"
import { Command } from "effect/cli"
import { load } from "../Lazy.ts"

export const ps = Command.make("ps", {}, () =>
  Effect.flatMap(
    load(() => import("../Listing.ts")),
    ({ workers }) => workers
  )
).pipe(Command.withDescription("List the workers of the running stack"))
