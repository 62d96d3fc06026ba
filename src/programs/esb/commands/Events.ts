import { Effect, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { load } from "../Lazy.ts"

export const events = Command.make(
  "events",
  {
    limit: Flag.Int("limit").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))),
      Flag.withDescription("The newest this many"),
      Flag.withDefault(100)
    )
  },
  ({ limit }) =>
    Effect.flatMap(
      load(() => import("../Listing.ts")),
      ({ events }) => events(limit)
    )
).pipe(Command.withDescription("List accepted events that have not run yet, or failed"))
