import { Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { load } from "../Lazy.ts"

export const invoke = Command.make(
  "invoke",
  {
    functionName: Argument.String("function").pipe(Argument.withDescription("Name or ARN")),
    event: Flag.String("event").pipe(
      Flag.withAlias("e"),
      Flag.withDescription("The event: a file, - for stdin, or JSON; {} by default"),
      Flag.withMetavar("file|-|json"),
      Flag.optional
    ),
    isAsync: Flag.Boolean("async").pipe(
      Flag.withDescription("Hand the event over and do not wait for its run"),
      Flag.withDefault(false)
    ),
    tail: Flag.Boolean("tail").pipe(
      Flag.withDescription("Show the end of the call's log on stderr"),
      Flag.withDefault(false)
    ),
    clientContext: Flag.String("client-context").pipe(
      Flag.withDescription("JSON that the function sees as context.clientContext"),
      Flag.withMetavar("json"),
      Flag.optional
    )
  },
  (flags) =>
    Effect.flatMap(
      load(() => import("../Invocation.ts")),
      ({ invoke }) => invoke(flags)
    )
).pipe(
  Command.withDescription("Call a function of the running stack; ends with 1 when the function fails"),
  Command.withExamples([
    { command: `esb invoke hello --event '{"name":"Ada"}'`, description: "With an event" },
    { command: "esb invoke hello --event - --tail < event.json", description: "With an event from stdin, and the log" }
  ])
)
