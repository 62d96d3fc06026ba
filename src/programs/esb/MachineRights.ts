/** Rights that a machine withholds from everybody on it, root and engines included: some that are guests of others do. */
import { readFile } from "node:fs/promises"

/** Bits of the capabilities that this process, or what it starts, could ever have. */
const boundsIn = (status: string): bigint => BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`)

/** How many capabilities are not within these bounds, of those that the kernel has: the last one's number tells. */
export const withheldOf = (status: string, lastCapability: string): number => {
  const bounds = boundsIn(status)
  const numbers = Array.from({ length: Number(lastCapability) + 1 }, (_, number) => BigInt(number))
  return numbers.filter((number) => (bounds & (1n << number)) === 0n).length
}

/** Asked of this process, as of one like others. Where there is nothing to ask, none is withheld that we know of. */
export const withheld = async (): Promise<number> => {
  try {
    const [status, last] = await Promise.all(
      ["/proc/self/status", "/proc/sys/kernel/cap_last_cap"].map((path) => readFile(path, "utf8"))
    )
    return withheldOf(status ?? "", last ?? "")
  } catch {
    return 0
  }
}
