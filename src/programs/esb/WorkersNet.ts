/** Which network the workers of a stack have: a `/16`, named by its first two numbers, beside all others of the machine. */
import { Result } from "effect"
import { isIPv4 } from "node:net"

/** A network that is there. */
export interface Neighbour {
  readonly name: string
  /** `172.17.0.0/16`; others than those of IPv4 are no neighbours. */
  readonly subnet: string
}

/** The default, and what comes after it: `10.89` to `10.127`. */
const candidates = Array.from({ length: 39 }, (_, index) => `10.${89 + index}`)

const numberOf = (address: string): number =>
  address.split(".").reduce((number, part) => number * 256 + Number(part), 0)

/** First and last address. */
const rangeOf = (subnet: string): readonly [number, number] | undefined => {
  const [address = "", bits = "32"] = subnet.split("/")
  if (!isIPv4(address)) return undefined
  const size = 2 ** (32 - Number(bits))
  const first = Math.floor(numberOf(address) / size) * size
  return [first, first + size - 1]
}

const overlaps = (net: string, { subnet }: Neighbour): boolean => {
  const [range, other] = [rangeOf(`${net}.0.0/16`), rangeOf(subnet)]
  return range !== undefined && other !== undefined && range[0] <= other[1] && other[0] <= range[1]
}

export interface Surroundings {
  /** The network that this stack has already. */
  readonly own: string | undefined
  /** The engine refuses a network that overlaps one of its others. */
  readonly networks: ReadonlyArray<Neighbour>
  /** Of this machine. The engine does not mind them, but what is in them cannot be reached any more. */
  readonly interfaces: ReadonlyArray<Neighbour>
}

/** The network that was asked for, else the one that is there, else the first that nobody has. Fails with why not. */
export const choose = (asked: string | undefined, { interfaces, networks, own }: Surroundings) => {
  if (own !== undefined) {
    return asked === undefined || asked === own
      ? Result.succeed(own)
      : Result.fail(`WORKERS_NET is ${asked}, and the stack runs with ${own}: take it down with esb down first`)
  }
  if (asked !== undefined) {
    const other = networks.find((network) => overlaps(asked, network))
    return other === undefined
      ? Result.succeed(asked)
      : Result.fail(
          `WORKERS_NET is ${asked}, and the engine's network ${other.name} has ${other.subnet}: choose another, or leave it out`
        )
  }
  const free = candidates.filter((net) => !networks.some((network) => overlaps(net, network)))
  const chosen = free.find((net) => !interfaces.some((each) => overlaps(net, each))) ?? free[0]
  return chosen === undefined
    ? Result.fail(`No network from ${candidates[0]} to ${candidates.at(-1)} is free: name another with WORKERS_NET`)
    : Result.succeed(chosen)
}
