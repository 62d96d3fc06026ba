/** Networks of the Internet Protocol's fourth version, as `10.88.0.0/16`. */
import { Result, Schema } from "effect"

/** A network that cannot hold an address of the machine and one of a worker. */
export class SubnetInvalid extends Schema.TaggedError<SubnetInvalid>()("SubnetInvalid", { text: Schema.String }) {
  override get message() {
    return `${this.text} is no IPv4 network of 4 addresses or more, such as 10.88.0.0/16`
  }
}

export interface Subnet {
  /** The first address of the network, as one number. */
  readonly base: number
  /** Leading bits that all its addresses have in common: 0 to 30. */
  readonly prefix: number
}

const longestPrefix = 30

const addresses = ({ prefix }: Subnet): number => 2 ** (32 - prefix)

const written = (address: number): string =>
  [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join(".")

/** `10.88.3.7/16` is a way to write `10.88.0.0/16`. */
export const parse = (text: string): Result.Result<Subnet, SubnetInvalid> => {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text.trim())
  const [a = 256, b = 256, c = 256, d = 256, prefix = 32] = (match ?? []).slice(1).map(Number)
  if (Math.max(a, b, c, d) > 255 || prefix > longestPrefix) return Result.fail(new SubnetInvalid({ text }))
  const address = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
  return Result.succeed({ base: address - (address % addresses({ base: 0, prefix })), prefix })
}

export const format = (subnet: Subnet): string => `${written(subnet.base)}/${subnet.prefix}`

/** The machine's own, by convention. */
export const firstHost = (subnet: Subnet): string => written(subnet.base + 1)

/** The one before the address that speaks to all. */
export const lastHost = (subnet: Subnet): string => written(subnet.base + addresses(subnet) - 2)

/** Whether an address, as four numbers, is one of the network's. */
export const contains = (subnet: Subnet, address: string): boolean =>
  Result.match(parse(`${address}/${subnet.prefix}`), {
    onFailure: () => false,
    onSuccess: ({ base }) => base === subnet.base
  })

export const overlap = (one: Subnet, other: Subnet): boolean =>
  one.base < other.base + addresses(other) && other.base < one.base + addresses(one)
