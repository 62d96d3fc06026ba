/** Names for workers of containerd: which are our own, and whether this Agent is whom workers ask. */
import { Effect, Layer, Result, Schema } from "effect"
import { isIPv4 } from "node:net"
import * as OwnNames from "#domain/OwnNames"
import * as Subnet from "#domain/Subnet"
import * as NameServer from "#layers/dns/NameServer"
import * as Nameservers from "#layers/dns/Nameservers"
import { Cni } from "#services/Cni"
import { BadSettings } from "../Program.ts"
import type { AgentSettings } from "./Settings.ts"

/** It was told to serve names and cannot. */
class NotServed extends Schema.TaggedError<NotServed>()("NotServed", { reason: Schema.String }) {
  override get message() {
    return `AGENT_DNS (--dns) is on, and ${this.reason}. With auto the Agent starts all the same, and says so.`
  }
}

interface Names {
  readonly own: ReadonlyArray<OwnNames.OwnName>
  /** `undefined`: whom the machine asks. */
  readonly upstream: ReadonlyArray<Nameservers.Nameserver> | undefined
}

/** Everything that can be read of a list, and a complaint for every word of it that cannot. */
const partition = <A>(
  words: ReadonlyArray<string>,
  read: (word: string) => Result.Result<A, string>,
  complain: (word: string) => string
) => {
  const all = words.map(read)
  return {
    good: all.filter(Result.isSuccess).map(({ success }) => success),
    complaints: all.filter(Result.isFailure).map(({ failure }) => complain(failure))
  }
}

/** What the settings say. */
const read = ({ cniDnsServer, dnsNames, dnsUpstream }: AgentSettings): Effect.Effect<Names, BadSettings> => {
  const own = partition(
    dnsNames,
    OwnNames.read,
    (word) => `AGENT_DNS_NAMES (--dns-names) has "${word}": expected a name and an address, such as gateway=10.89.0.3`
  )
  const upstream = partition(
    dnsUpstream ?? [],
    Nameservers.read,
    (word) =>
      `AGENT_DNS_UPSTREAM (--dns-upstream) has "${word}": expected an address, such as 10.0.0.2 or 10.0.0.2:5353`
  )
  const complaints = [
    ...own.complaints,
    ...upstream.complaints,
    ...(cniDnsServer === undefined || isIPv4(cniDnsServer)
      ? []
      : [`CNI_DNS_SERVER (--cni-dns-server) is "${cniDnsServer}": expected an address, such as 10.88.0.1`])
  ]
  return complaints.length > 0
    ? Effect.fail(new BadSettings({ program: "agent", complaints }))
    : Effect.succeed({ own: own.good, upstream: dnsUpstream === undefined ? undefined : upstream.good })
}

const told = ({ own, upstream }: Names): string => {
  const others = upstream?.map(Nameservers.write).join(", ") ?? "the machine's own name servers"
  return `${own.length} names of AGENT_DNS_NAMES, and all others by ${others}`
}

/** One line tells what was decided, and why. */
const served = Effect.fnUntraced(function* ({ dns }: AgentSettings, names: Names) {
  const { bridge } = yield* Cni
  const isAsked = bridge.nameserver === bridge.gateway
  const instead = `workers ask ${bridge.nameserver} for names`
  if (dns === "off") return `AGENT_DNS is off: ${instead}`
  if (dns === "auto" && !isAsked) return `This Agent serves no names: ${instead}`
  const clients = yield* Effect.orDie(Effect.fromResult(Subnet.parse(bridge.subnet)))
  const place = { address: bridge.gateway, clients, names: names.own, upstream: names.upstream }
  return yield* NameServer.serve(place).pipe(
    Effect.as(`This Agent serves names at ${bridge.gateway}: ${told(names)}${isAsked ? "" : `, though ${instead}`}`),
    Effect.catchTag("CannotListen", (failure) => {
      if (dns === "on") return Effect.fail(new NotServed({ reason: failure.message }))
      const line = `This Agent serves no names: ${failure.detail}, at ${bridge.gateway}, where workers ask for them`
      // Where somebody else does, workers have their names.
      return failure.isTaken ? Effect.succeed(line) : Effect.as(Effect.logWarning(line), undefined)
    })
  )
})

/** Fails when a setting cannot be read, and where it was told to serve names and cannot. */
export const layer = (values: AgentSettings) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const line = yield* served(values, yield* read(values))
      if (line !== undefined) yield* Effect.logInfo(line)
    })
  )
