/** Names for workers of containerd: which are our own, and whether this Agent is whom workers ask. */
import { Effect, Layer, Schema } from "effect"
import * as Subnet from "#domain/Subnet"
import * as NameServer from "#layers/dns/NameServer"
import * as Nameservers from "#layers/dns/Nameservers"
import { Cni } from "#services/Cni"
import type { AgentSettings } from "./Settings.ts"

/** It was told to serve names and cannot. */
class NotServed extends Schema.TaggedError<NotServed>()("NotServed", { reason: Schema.String }) {
  override get message() {
    return `AGENT_DNS (--dns) is on, and ${this.reason}. With auto the Agent starts all the same, and says so.`
  }
}

const told = ({ dnsNames, dnsUpstream }: AgentSettings): string => {
  const others = dnsUpstream?.map(Nameservers.write).join(", ") ?? "the machine's own name servers"
  return `${dnsNames.length} names of AGENT_DNS_NAMES, and all others by ${others}`
}

/** One line tells what was decided, and why. */
const served = Effect.fnUntraced(function* (values: AgentSettings) {
  const { dns, dnsNames, dnsUpstream } = values
  const { bridge } = yield* Cni
  const isAsked = bridge.nameserver === bridge.gateway
  const instead = `workers ask ${bridge.nameserver} for names`
  if (dns === "off") return `AGENT_DNS is off: ${instead}`
  if (dns === "auto" && !isAsked) return `This Agent serves no names: ${instead}`
  const clients = yield* Effect.orDie(Effect.fromResult(Subnet.parse(bridge.subnet)))
  const place = { address: bridge.gateway, clients, names: dnsNames, upstream: dnsUpstream }
  return yield* NameServer.serve(place).pipe(
    Effect.as(`This Agent serves names at ${bridge.gateway}: ${told(values)}${isAsked ? "" : `, though ${instead}`}`),
    Effect.catchTag("CannotListen", (failure) => {
      if (dns === "on") return Effect.fail(new NotServed({ reason: failure.message }))
      const line = `This Agent serves no names: ${failure.detail}, at ${bridge.gateway}, where workers ask for them`
      // Where somebody else does, workers have their names.
      return failure.isTaken ? Effect.succeed(line) : Effect.as(Effect.logWarning(line), undefined)
    })
  )
})

/** Fails where it was told to serve names and cannot. */
export const layer = (values: AgentSettings) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const line = yield* served(values)
      if (line !== undefined) yield* Effect.logInfo(line)
    })
  )
