/** Networks of 65 536 addresses, of which this machine has none yet, for bridges of engines and workers. */
import { networkInterfaces } from "node:os"
import { Effect } from "effect"
import * as OwnShare from "./OwnShare.ts"

const isFree = async (second: number): Promise<boolean> =>
  Object.values(networkInterfaces()).every((addresses = []) =>
    addresses.every(({ address }) => !address.startsWith(`10.${second}.`))
  )

/** The first two of its four numbers: `10.137`. */
export const find = Effect.map(OwnShare.finder({ from: 100, to: 250 })(isFree), (second) => `10.${second}`)
