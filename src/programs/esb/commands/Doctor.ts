import { Effect, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { load } from "../Lazy.ts"
import { registry } from "../RegistrySettings.ts"
import { resolved } from "../Resolved.ts"
import * as Setting from "../../Setting.ts"

const summary =
  "Say what each mode needs, what of it is here, and how to get the rest; ends with 1 when the chosen mode lacks something"

export const doctor = Command.make(
  "doctor",
  {
    mode: Flag.Literals("mode", ["embedded", "docker", "containerd"]).pipe(
      Flag.withDescription("The mode that has to work; embedded by default"),
      Flag.withDefault("embedded" as const)
    ),
    port: Flag.Int("port").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))),
      Flag.withDescription("The port that should be free for the embedded mode; 8080 by default"),
      Flag.withDefault(8080)
    ),
    ...Setting.flags(registry)
  },
  (given) =>
    Effect.gen(function* () {
      const values = yield* resolved(registry, given)
      const { examine } = yield* load(() => import("../Doctor.ts"))
      return yield* examine(given, values)
    })
).pipe(
  Command.withShortDescription(summary),
  Command.withDescription(`${summary}\n\nFrom the environment only:\n${Setting.environmentOnly(registry)}`)
)
