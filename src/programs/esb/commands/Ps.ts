import { Effect } from "effect"
import { Command } from "effect/cli"
import { load } from "../Lazy.ts"

export const ps = Command.make("ps", {}, () =>
  Effect.flatMap(
    load(() => import("../Listing.ts")),
    ({ processes }) => processes
  )
).pipe(Command.withDescription("List what runs of the stack: its workers, and in containers its services"))
