import { Effect, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { load } from "../Lazy.ts"

export const doctor = Command.make(
  "doctor",
  {
    mode: Flag.Literals("mode", ["embedded", "docker", "containerd"]).pipe(
      Flag.withDescription("The mode that has to work"),
      Flag.withDefault("embedded" as const)
    ),
    port: Flag.Int("port").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))),
      Flag.withDescription("The port that should be free"),
      Flag.withDefault(8080)
    )
  },
  (flags) =>
    Effect.flatMap(
      load(() => import("../Doctor.ts")),
      ({ examine }) => examine(flags)
    )
).pipe(
  Command.withDescription(
    "Say what each mode needs, what of it is here, and how to get the rest; ends with 1 when the chosen mode lacks something"
  )
)
