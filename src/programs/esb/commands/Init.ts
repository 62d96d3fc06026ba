import { Effect, Option } from "effect"
import { Argument, Command, Flag, Prompt } from "effect/cli"
import { load } from "../Lazy.ts"
import { Abandoned } from "../Refusal.ts"

const question = Prompt.Select({
  message: "Which language?",
  choices: [
    { title: "Node", value: "node" as const },
    { title: "Python", value: "python" as const }
  ]
})

/** Nothing is chosen for somebody who was asked and left. */
const ask = Effect.suspend(() =>
  process.stdin.isTTY && process.stdout.isTTY
    ? Effect.mapError(question, () => new Abandoned({ message: "Nothing was written." }))
    : Effect.succeed("node" as const)
)

export const init = Command.make(
  "init",
  {
    directory: Argument.String("directory").pipe(
      Argument.withDescription("Where to write; this directory by default"),
      Argument.withDefault(".")
    ),
    runtime: Flag.Literals("runtime", ["node", "python"]).pipe(
      Flag.withDescription("Language of the function; asked for on a terminal, node elsewhere"),
      Flag.optional
    )
  },
  ({ directory, runtime }) =>
    Effect.gen(function* () {
      const chosen = Option.isSome(runtime) ? runtime.value : yield* ask
      const { write } = yield* load(() => import("../Starter.ts"))
      yield* write(directory, chosen)
    })
).pipe(Command.withDescription("Write a small stack to begin with; nothing is overwritten"))
