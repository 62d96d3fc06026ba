/**
 * What a stack's network is called, and where it lies when nobody says it: found from the brand alone, so that a machine's stacks
 * of several brands do not meet, and each is where it was after a restart.
 */
import { overlap, type Subnet } from "./Subnet.ts"
import type { StackIdentity } from "./StackIdentity.ts"

/** Where workers of a stack are when nobody says it. */
export const ordinary: { readonly subnet: Subnet; readonly bridge: string } = {
  subnet: { base: 10 * 2 ** 24 + 88 * 2 ** 16, prefix: 16 },
  bridge: "esb0"
}

/** A network, or its being found from the brand. */
export type Place = Subnet | "auto"

/** Networks of 512 addresses, `10.0.0.0/8` without `10.88.0.0/16`, where stacks without a brand's network are. */
const slots = 32_640
const slotsOfOctet = 128
const slotPrefix = 23
const skippedOctet = 88

const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")

/** By plugins, configurations and files of addresses: `esb-net`. */
export const networkName = ({ brand }: StackIdentity): string => `${brand}-net`

/** Everything that is made for a stack begins with it; no other stack's does, whatever its environment is called. */
export const prefixOf = ({ brand }: StackIdentity, digestOfStack: Uint8Array): string =>
  `${brand}-${hex(digestOfStack).slice(0, 8)}-`

/** `esb-` with 4 letters of the brand and 6 of its MD5: at most 14 of the 15 letters that the kernel takes. */
export const bridgeName = (brand: string, md5OfBrand: Uint8Array): string =>
  `esb-${brand.replaceAll("-", "").slice(0, 4)}${hex(md5OfBrand).slice(0, 6)}`

const slot = (number: number): Subnet => {
  const octet = Math.floor(number / slotsOfOctet)
  const second = octet >= skippedOctet ? octet + 1 : octet
  return { base: 10 * 2 ** 24 + second * 2 ** 16 + (number % slotsOfOctet) * 2 ** 9, prefix: slotPrefix }
}

/** The brand's own place, or the next one that no other network overlaps; `undefined`: all are taken. */
export const subnet = (md5OfBrand: Uint8Array, taken: ReadonlyArray<Subnet>): Subnet | undefined => {
  const [a = 0, b = 0, c = 0, d = 0] = md5OfBrand
  const first = (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) % slots
  for (let tried = 0; tried < slots; tried++) {
    const candidate = slot((first + tried) % slots)
    if (!taken.some((each) => overlap(each, candidate))) return candidate
  }
  return undefined
}
