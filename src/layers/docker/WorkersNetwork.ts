/**
 * The network of the workers, made when it is missing: a bridge on which no container reaches another. One that an Agent of this
 * stack has made, this one or an earlier, goes with the scope, unless workers stay in it; one that somebody else has made stays.
 */
import type { NetworkInspectInfo } from "dockerode"
import { Context, Effect, Layer } from "effect"
import { BlockList, createServer, isIPv4 } from "node:net"
import { networkInterfaces } from "node:os"
import { RuntimeUnavailable } from "#domain/Failure"
import { selectorLabels, type StackIdentity } from "#domain/StackIdentity"
import { DockerApi, type EngineFailure, hasStatus } from "./DockerApi.ts"

/** Where this process stands, as workers see it: on the machine that has the bridge, or in a container of the network itself. */
export interface Standing {
  readonly of: "machine" | "agent"
  readonly address: string
}

export class WorkersNetwork extends Context.Service<
  WorkersNetwork,
  {
    readonly name: string
    /** The engine's own address in it, which is its machine as workers see it. */
    readonly gateway: string
    /** The machine's interface to it. */
    readonly bridge: string
    /** `undefined`: neither the engine's machine nor the network is where this process runs. */
    readonly standing: Standing | undefined
  }
>()("esb/layers/docker/WorkersNetwork") {}

/** The engine's names for traffic between the containers of a bridge, and for the bridge's own name. */
const betweenContainers = "com.docker.network.bridge.enable_icc"
const bridgeName = "com.docker.network.bridge.name"

/** What the engine calls bridges that nobody names. */
const bridgeOf = (id: string): string => `br-${id.slice(0, 12)}`

/** Every address of this process's interfaces, of the fourth version. */
const ownAddresses = (): ReadonlyArray<string> =>
  Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).flatMap(({ address, family }) => (family === "IPv4" ? [address] : []))
  )

/** Of a bridge without containers nobody lists the address; but one can listen at it. */
const canListenAt = (host: string): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen({ host, port: 0, exclusive: true }, () => server.close(() => resume(Effect.succeed(true))))
    return Effect.sync(() => server.close())
  })

/** The address of a subnet that is among others; `undefined`: none of them is. */
export const memberOf = (subnet: string, addresses: ReadonlyArray<string>): string | undefined => {
  const [network = "", prefix] = subnet.split("/")
  if (!isIPv4(network)) return undefined
  const members = new BlockList()
  members.addSubnet(network, Number(prefix ?? "32"))
  return addresses.find((each) => members.check(each))
}

/** An engine that is told of a subnet alone takes the first address in it, and does not say so. */
const firstIn = (subnet: string): string | undefined => {
  const [network = ""] = subnet.split("/")
  // Nobody cuts a network so small that the last byte would overflow.
  return isIPv4(network) ? network.replace(/\d+$/, (byte) => String(Number(byte) + 1)) : undefined
}

/** The engine's address in a network of the fourth version; `undefined` where nothing tells it. */
const addressesOf = (config: NonNullable<NetworkInspectInfo["IPAM"]>["Config"]) => {
  for (const { Gateway, IPRange, Subnet = "" } of config ?? []) {
    const gateway = Gateway ?? (IPRange === undefined ? firstIn(Subnet) : undefined)
    if (gateway !== undefined && isIPv4(gateway)) return { gateway, subnet: Subnet }
  }
  return undefined
}

/** By addresses alone: the machine has the gateway's, a container in the network another one of the same subnet. */
const standingIn = Effect.fnUntraced(function* (gateway: string, subnet: string) {
  const address = memberOf(subnet, ownAddresses())
  if (address !== undefined && address !== gateway) return { of: "agent", address } satisfies Standing
  const isMachine = address === gateway || (yield* canListenAt(gateway))
  return isMachine ? ({ of: "machine", address: gateway } satisfies Standing) : undefined
})

const make = Effect.fnUntraced(function* (name: string, identity: StackIdentity) {
  const { call, engine } = yield* DockerApi
  const network = engine.getNetwork(name)
  const unavailable = (failure: EngineFailure) =>
    new RuntimeUnavailable({ detail: `network ${name} of the workers: ${failure.message}`, cause: failure })

  const labels = selectorLabels(identity)
  const isOurs = (found: NetworkInspectInfo): boolean =>
    Object.entries(labels).every(([label, value]) => found.Labels?.[label] === value)

  const inspect = call((): Promise<NetworkInspectInfo> => network.inspect())
  const create = call((abortSignal) =>
    engine.createNetwork({
      Name: name,
      Driver: "bridge",
      CheckDuplicate: true,
      Options: { [betweenContainers]: "false" },
      Labels: { ...labels },
      abortSignal
    })
  ).pipe(
    // Somebody else was faster, and theirs will do.
    Effect.catchIf(hasStatus(409), () => Effect.void),
    Effect.andThen(inspect)
  )
  const ensure = Effect.catchIf(inspect, hasStatus(404), () => create)
  // The engine keeps one that has containers, which outlive their Agent: the next one takes it away.
  const remove = Effect.ignore(
    call(() => network.remove()),
    { log: "Debug" }
  )

  const { EnableIPv6, Id, IPAM, Options } = yield* Effect.acquireRelease(
    Effect.mapError(ensure, unavailable),
    (found) => (isOurs(found) ? remove : Effect.void)
  )
  if (Options?.[betweenContainers] !== "false") {
    yield* Effect.logWarning(
      `Workers in the network ${name} can reach each other: it was made without ${betweenContainers}=false`
    )
  }
  if (EnableIPv6) {
    yield* Effect.logWarning(`Nothing fences workers in the network ${name} by IPv6, which it was made with`)
  }
  const found = addressesOf(IPAM?.Config)
  if (found === undefined) {
    return yield* new RuntimeUnavailable({ detail: `network ${name} of the workers has no gateway address` })
  }
  const { gateway, subnet } = found
  return WorkersNetwork.of({
    name,
    gateway,
    bridge: Options?.[bridgeName] ?? bridgeOf(Id),
    standing: yield* standingIn(gateway, subnet)
  })
})

export const layer = (
  name: string,
  identity: StackIdentity
): Layer.Layer<WorkersNetwork, RuntimeUnavailable, DockerApi> => Layer.effect(WorkersNetwork, make(name, identity))
