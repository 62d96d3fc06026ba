import { Effect } from "effect"
import { Argument, Command, Flag, Prompt } from "effect/cli"
import { load } from "../Lazy.ts"

const ask = Prompt.Select({
  message: "Which language?",
  choices: [
    { title: "Node", value: "node" as const },
    { title: "Python", value: "python" as const }
  ]
})

export const init = Command.make(
  "init",
  {
    directory: Argument.String("directory").pipe(
      Argument.withDescription("Where to write; this directory by default"),
      Argument.withDefault(".")
    ),
    runtime: Flag.Literals("runtime", ["node", "python"]).pipe(
      Flag.withDescription("Language of the function; asked for on a terminal, node elsewhere"),
      Flag.withFallbackPrompt(ask),
      Flag.withDefault("node" as const)
    )
  },
  ({ directory, runtime }) =>
    Effect.flatMap(
      load(() => import("../Starter.ts")),
      ({ write }) => write(directory, runtime)
    )
).pipe(Command.withDescription("Write a small stack to begin with; nothing is overwritten"))
