/** An Agent that its Gateways reach over wires only: one to its gRPC port and one to its data door. */
import { Effect, type Scope } from "effect"
import * as AgentStack from "./AgentStack.ts"
import type { Environment } from "./BareServer.ts"
import * as FreePort from "./FreePort.ts"
import * as Wire from "./Wire.ts"

export interface WiredAgent {
  readonly agent: AgentStack.Agent
  /** The end of the wire that leads to its gRPC port: what Gateways are told. */
  readonly address: string
  /** Every connection breaks, and no new one can be made. */
  readonly cut: () => void
  /** Nothing passes any more, though connections stand. */
  readonly stall: () => void
  /** All is well again; what was held back passes. */
  readonly heal: () => void
}

/** Workers tell one host and port of the data door: the wire begins at the same port of another address of this machine. */
export const make = Effect.fnUntraced(function* (
  stack: AgentStack.AgentStack,
  settings: Environment = {}
): Effect.fn.Return<WiredAgent, never, Scope.Scope> {
  const port = yield* FreePort.find
  const agent = yield* stack.agent({
    ...settings,
    AGENT_DATA_HOST: AgentStack.elsewhere,
    AGENT_DATA_PORT: String(port)
  })
  const wires = [
    yield* Wire.make(Number(new URL(agent.url).port)),
    yield* Wire.make(port, { host: AgentStack.elsewhere, port })
  ] as const
  const both = (verb: "cut" | "freeze" | "mend" | "thaw") => {
    for (const wire of wires) wire[verb]()
  }
  return {
    agent,
    address: wires[0].address,
    cut: () => both("cut"),
    stall: () => both("freeze"),
    heal: () => {
      both("mend")
      both("thaw")
    }
  }
})
