import { Effect } from "effect"
import { Command } from "effect/cli"
import { load } from "../Lazy.ts"

export const routes = Command.make("routes", {}, () =>
  Effect.flatMap(
    load(() => import("../Listing.ts")),
    ({ routes }) => routes
  )
).pipe(Command.withDescription("List the routes of the running stack"))
