import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { deploying } from "../DeploySettings.ts"
import { load } from "../Lazy.ts"
import { resolved } from "../Resolved.ts"
import * as Setting from "../../Setting.ts"
import { parameters, template } from "./Up.ts"

const buildOnly = Flag.Boolean("build-only").pipe(
  Flag.withDescription(
    "Build and keep the code, and write the configuration into staging; leave the running stack alone"
  ),
  Flag.withDefault(false)
)

const summary = "Build a template and give it to the running stack, in place of what it holds"

export const deploy = Command.make(
  "deploy",
  { template, parameters, buildOnly, ...Setting.flags(deploying) },
  (given) =>
    Effect.gen(function* () {
      const values = yield* resolved(deploying, given)
      const { deploy } = yield* load(() => import("../Deploy.ts"))
      yield* deploy(given, values)
    })
).pipe(
  Command.withShortDescription(summary),
  Command.withDescription(
    `${summary}\n\nIn this order: functions are built, as images for containers; the configuration is written into the directory ` +
      "staging of the home; tables and buckets are made; functions and routes change. Whatever fails, what comes after it is " +
      "not done, and calls are answered as before.\n\n" +
      "Functions and routes that left the template leave the stack. Their images stay in the registry, tables and buckets with " +
      "what is in them stay in their stores: both are for you to remove.\n\n" +
      "A stack that runs in containers decides on brand, environment, project and engine; flags that name them count where none " +
      "runs. Two deploys to one home take turns."
  ),
  Command.withExamples([
    { command: "esb deploy", description: "template.yaml of this directory, to the stack that runs" },
    { command: "esb deploy --image-prewarm all", description: "Copies every image that the template names once more" },
    {
      command: "esb deploy --mode docker --build-only --registry 127.0.0.1:5010",
      description: "Images and configuration for a stack that does not run yet"
    }
  ])
)
