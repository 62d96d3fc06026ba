/**
 * Numbers of this machine, such as ports, of which each process that runs tests has a share: several run at once, and what is
 * free when one of them looks is another's a moment later.
 */
import { randomInt } from "node:crypto"
import { Effect } from "effect"

/** At least as many as run at once. */
const processes = 5
const place = Number(process.env["VITEST_POOL_ID"] ?? 0) % processes

/**
 * Finds a number from `from` to below `to` that is free, another one each time until all have been given. It begins anywhere:
 * what the last process with this share has left may be about to go.
 */
export const finder = ({ from, to }: { readonly from: number; readonly to: number }) => {
  const size = Math.floor((to - from) / processes)
  let given = randomInt(size)
  const next = (): number => from + size * place + (given++ % size)
  return (isFree: (candidate: number) => Promise<boolean>) =>
    Effect.promise(async () => {
      for (let tried = 0; tried < size; tried++) {
        const candidate = next()
        if (await isFree(candidate)) return candidate
      }
      throw new Error(`none of the ${size} of this process from ${from} to ${to} is free`)
    })
}
