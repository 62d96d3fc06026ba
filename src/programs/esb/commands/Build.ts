import { Effect } from "effect"
import { Command } from "effect/cli"
import { images } from "../ImageSettings.ts"
import { load } from "../Lazy.ts"
import { resolved } from "../Resolved.ts"
import { building } from "../Settings.ts"
import * as Setting from "../../Setting.ts"
import { parameters, template } from "./Up.ts"

const settings = { ...building, ...images }

const summary = "Make an image of every function of a template, with a Docker Engine"

export const build = Command.make("build", { template, parameters, ...Setting.flags(settings) }, (given) =>
  Effect.gen(function* () {
    const values = yield* resolved(settings, given)
    const { build } = yield* load(() => import("../Build.ts"))
    yield* build(given, values)
  })
).pipe(
  Command.withShortDescription(summary),
  Command.withDescription(
    `${summary}\n\nAn image begins with AWS's public base of its runtime. ESB_BASE_IMAGE_<RUNTIME>, such as ` +
      "ESB_BASE_IMAGE_NODEJS24_X, names another one. Where Metadata of a function names a Dockerfile, that is built.\n\n" +
      "An image that the template names is copied into the registry, if there is one, for the platform of this machine. What its " +
      "tag stands for is asked of its own registry each time, so that a tag that has moved is a new image; a digest is copied " +
      "once. A name without a registry is looked for in the engine first, as docker run does. Docker's logins count.\n\n" +
      "No image is ever removed from a registry."
  ),
  Command.withExamples([
    { command: "esb build", description: "Images in the engine, from template.yaml of this directory" },
    { command: "esb build --registry 127.0.0.1:5010", description: "Pushed to a registry, too" },
    { command: "esb build --no-cache", description: "Every image and every step anew" },
    {
      command: "esb build --registry 127.0.0.1:5010 --image-prewarm off",
      description: "Images that the template names stay where they are"
    }
  ])
)
