/** The Agent: for now its settings, checked, and the plain word that it serves nothing yet. */
import { Effect, Schema } from "effect"
import * as StackIdentity from "#domain/StackIdentity"
import { launch } from "../Program.ts"
import { type AgentSettings, settings } from "./Settings.ts"

/** This version has no gRPC server. */
class AgentNotOffered extends Schema.TaggedError<AgentNotOffered>()("AgentNotOffered", {
  brand: Schema.String,
  environment: Schema.String
}) {
  override get message() {
    return (
      `The settings are good (stack ${this.brand}, environment ${this.environment}), but this version of esb serves no gRPC. ` +
      "Workers run as child processes of the Gateway: start it with esb up. docs/gaps.md says what is missing."
    )
  }
}

const main = Effect.fnUntraced(function* (values: AgentSettings) {
  const { brand, environment } = yield* Effect.fromResult(
    StackIdentity.resolve(
      { brandSlug: values.brandSlug, projectName: values.projectName, network: values.containersNetwork },
      values.environment
    )
  )
  return yield* new AgentNotOffered({ brand, environment })
})

launch({
  name: "agent",
  about: "Starts, pauses, lists, measures and destroys workers on one host. This version checks its settings only.",
  settings,
  main
})
