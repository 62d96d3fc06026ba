/** How the engine of an Agent is let in at the registry of its images. */
import { Effect } from "effect"
import { BadSettings } from "../Program.ts"
import type { AgentSettings } from "./Settings.ts"

/** None, where nobody in particular is let in. One half of a login is a mistake. */
export const logins = Effect.fnUntraced(function* (values: AgentSettings) {
  const { registry, registryPassword: password, registryUser: username } = values
  if (username === undefined && password === undefined) return []
  if (username === undefined || password === undefined) {
    const complaint =
      "CONTAINER_REGISTRY_USER and CONTAINER_REGISTRY_PASSWORD are of use together only: one of them is not set"
    return yield* new BadSettings({ program: "agent", complaints: [complaint] })
  }
  return [{ registry, username, password }]
})
