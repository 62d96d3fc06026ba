import { Effect, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import * as Lasting from "../Lasting.ts"
import { load } from "../Lazy.ts"

export const logs = Command.make(
  "logs",
  {
    follow: Flag.Boolean("follow").pipe(
      Flag.withAlias("f"),
      Flag.withDescription("Go on with lines as they come"),
      Flag.withDefault(false)
    ),
    functionName: Flag.String("function").pipe(Flag.withDescription("Lines of one function"), Flag.optional),
    requestId: Flag.String("request").pipe(Flag.withDescription("Lines of one call"), Flag.optional),
    since: Flag.String("since").pipe(
      Flag.withDescription("Lines since then: 30s, 15m, 2h, 1d ago, or a time"),
      Flag.optional
    ),
    limit: Flag.Int("limit").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))),
      Flag.withDescription("The newest this many; 200 by default, 1000 with --since or --request"),
      Flag.optional
    )
  },
  (flags) =>
    Effect.gen(function* () {
      Lasting.begin()
      const { show } = yield* load(() => import("../LogView.ts"))
      yield* show(flags)
    })
).pipe(Command.withDescription("Show what functions and the platform wrote"))
