/** An Agent ends under load and comes back while its containers run on: who survives, who is replaced, and what callers see of it. */
import { Effect } from "effect"
import * as AgentRestarts from "#test/support/AgentRestarts"
import type { BaseName } from "#test/support/BaseImages"
import * as DockerStack from "#test/support/DockerStack"

const survive = Effect.fnUntraced(function* (base: BaseName, how: "kill" | "stop") {
  const { gateway, maxCapacity, names } = AgentRestarts
  const { environment, ...world } = yield* DockerStack.make({ base, names, maxCapacity, gateway })
  const running = Effect.map(DockerStack.containersOf(environment), (found) =>
    [...found].flatMap(([name, status]) => (status === "running" ? [name] : []))
  )
  return yield* AgentRestarts.survive(base, { ...world, running }, how)
})

AgentRestarts.suite("containers", ["docker"], survive)
