import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { load } from "../Lazy.ts"

const volumes = Flag.Boolean("volumes").pipe(
  Flag.withDescription("Remove the data, too: events, logs, tables, buckets and images of the stack"),
  Flag.withDefault(false)
)

const summary = "End the stack of this directory; one in containers goes with its networks, and its data stays"

export const down = Command.make("down", { volumes }, (flags) =>
  Effect.flatMap(
    load(() => import("../Down.ts")),
    ({ down }) => down(flags)
  )
).pipe(
  Command.withShortDescription(summary),
  Command.withDescription(
    `${summary}\n\nAs what it stays: volumes of the engine, which the next esb up takes up again. Certificates, secrets and ` +
      "what esb up was told stay in the home, with --volumes as well."
  ),
  Command.withExamples([
    { command: "esb down", description: "Stop what esb up has started" },
    { command: "esb down --volumes", description: "In containers, and forget all data" }
  ])
)
