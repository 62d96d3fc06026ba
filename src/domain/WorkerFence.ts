/**
 * What the workers of a stack may reach, as rules of a packet filter: their doors, name servers, what the settings name, and the
 * internet. Not each other, nor anything else of the machine they run on, nor what clouds tell their machines at 169.254.0.0/16.
 */
import { Result, Schema } from "effect"
import { Ipv4Address } from "./Ipv4Address.ts"
import type { StackIdentity } from "./StackIdentity.ts"

const Port = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))

/** A server that speaks TCP. */
export const Endpoint = Schema.Struct({ address: Ipv4Address, port: Port })
export type Endpoint = typeof Endpoint.Type

/** Whose workers are fenced in: one fence for a stack. */
export const Stack = Schema.Struct({
  brand: Schema.String.check(Schema.isPattern(/^[a-z0-9]+(-[a-z0-9]+)*$/)),
  environment: Schema.NonEmptyString
}) satisfies Schema.Schema<StackIdentity>

const Bridge = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_.-]{1,15}$/))

export const WorkerFence = Schema.Struct({
  stack: Stack,
  /** Interface of the workers' network on the machine. */
  bridge: Bridge,
  /** Chain that packets between networks pass before all other rules: the engine's for rules of others, or the machine's. */
  entry: Schema.Literals(["DOCKER-USER", "FORWARD"]),
  doors: Schema.Struct({
    address: Ipv4Address,
    ports: Schema.Struct({ first: Port, last: Port }),
    /** Whose address it is: the machine's, or that of an Agent that is in the workers' network itself. */
    of: Schema.Literals(["machine", "agent"])
  }),
  /** Servers in the workers' network, or on the machine, that workers may use. */
  reach: Schema.Array(Endpoint)
})
export type WorkerFence = typeof WorkerFence.Type

const longestBrand = 13

/** FNV-1a, 32 bit: to tell stacks apart, not to keep a secret. */
const shortDigest = (text: string): string => {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash.toString(16).padStart(8, "0")
}

/**
 * Names of three chains: of packets that leave the machine again, of those that end there, and of those that come back to
 * workers. The same for a stack at every start, so that a new fence takes the place of the old one; at most 27 letters of the 28
 * that the kernel takes.
 */
export const chains = ({ brand, environment }: StackIdentity) => {
  const stem = `${brand.slice(0, longestBrand).replace(/-$/, "")}-${shortDigest(`${brand} ${environment}`)}`
  return { passing: `${stem}-pass`, ending: `${stem}-host`, returning: `${stem}-back` }
}

export interface Rule {
  readonly from?: string
  /** An address, or a network as `169.254.0.0/16`. */
  readonly to?: string
  /** Only packets that leave by this interface; `br-+` is any whose name begins so. */
  readonly leavesBy?: string
  /** Only packets that leave by another interface. */
  readonly leavesNotBy?: string
  /** Where the sender sent it, whoever has to answer for that address by the machine's own rules. */
  readonly sentTo?: Endpoint
  /** Somebody else has to answer than whom the sender named. */
  readonly isRedirected?: boolean
  /** Answers to what was let through. */
  readonly isAnswer?: boolean
  readonly protocol?: "tcp" | "udp"
  readonly ports?: { readonly first: number; readonly last: number }
  /** `return`: the rules of others decide. */
  readonly verdict: "accept" | "reject" | "return"
}

/** Where clouds tell machines their credentials. Some have their name servers there too. */
const linkLocal = "169.254.0.0/16"
const nameService = { first: 53, last: 53 }

const onePort = (port: number) => ({ first: port, last: port })

const both = (rule: Omit<Rule, "protocol">): ReadonlyArray<Rule> => [
  { ...rule, protocol: "udp" },
  { ...rule, protocol: "tcp" }
]

const reached = ({ reach }: WorkerFence): ReadonlyArray<Rule> =>
  reach.map(({ address, port }) => ({ to: address, protocol: "tcp", ports: onePort(port), verdict: "accept" }))

const toDoors = ({ doors }: WorkerFence): Rule => ({
  to: doors.address,
  protocol: "tcp",
  ports: doors.ports,
  verdict: "accept"
})

/**
 * In this order, before the rules of an engine whose bridge it is: what no rule decides is up to those, by which an engine keeps
 * containers of a bridge apart.
 */
const passingAnEngine = (fence: WorkerFence): ReadonlyArray<Rule> => [
  ...both({ to: linkLocal, ports: nameService, verdict: "return" }),
  { to: linkLocal, verdict: "reject" },
  { leavesNotBy: fence.bridge, verdict: "return" },
  { isAnswer: true, verdict: "accept" },
  ...(fence.doors.of === "agent"
    ? [{ from: fence.doors.address, verdict: "accept" } satisfies Rule, toDoors(fence)]
    : []),
  ...reached(fence)
]

/** Bridges of a Docker Engine that may be on the same machine: it decides who is let in to its containers. */
const engineBridges = ["docker+", "br-+"]

/**
 * In this order, on a bridge that no engine knows. The way out is opened here, because an engine on the same machine closes it to
 * all but its own containers. Nothing goes back to the bridge, nor to a port of the machine that leads into a container.
 */
const passingAlone = (fence: WorkerFence): ReadonlyArray<Rule> => [
  { isAnswer: true, verdict: "accept" },
  ...both({ to: linkLocal, ports: nameService, verdict: "accept" }),
  { to: linkLocal, verdict: "reject" },
  ...fence.reach.map((sentTo): Rule => ({ sentTo, verdict: "accept" })),
  { leavesBy: fence.bridge, verdict: "reject" },
  { isRedirected: true, verdict: "reject" },
  ...engineBridges.map((leavesBy): Rule => ({ leavesBy, verdict: "return" })),
  { verdict: "accept" }
]

const ending = (fence: WorkerFence): ReadonlyArray<Rule> => [
  { isAnswer: true, verdict: "accept" },
  ...both({ ports: nameService, verdict: "accept" }),
  ...(fence.doors.of === "machine" ? [toDoors(fence)] : []),
  ...reached(fence),
  { verdict: "reject" }
]

/** The first two are of packets that come from the bridge, the last of those that go to it; none of these: an engine lets them. */
export const rules = (fence: WorkerFence) => {
  const isAlone = fence.entry === "FORWARD"
  return {
    passing: isAlone ? passingAlone(fence) : passingAnEngine(fence),
    ending: ending(fence),
    returning: isAlone ? [{ isAnswer: true, verdict: "accept" } satisfies Rule] : []
  }
}

const decodeEndpoint = Schema.decodeUnknownResult(Endpoint)

/** `10.89.0.3:443`; fails with what it is that cannot be read. */
export const readEndpoint = (text: string): Result.Result<Endpoint, string> => {
  const [, address, port] = /^(.*):(\d{1,5})$/.exec(text) ?? []
  return Result.mapError(decodeEndpoint({ address, port: Number(port) }), () => text)
}
