/** Names of workers, the same whichever engine runs them. */
import type { FunctionName } from "./FunctionName.ts"
import type { StackIdentity } from "./StackIdentity.ts"

/** containerd's limit for an identifier. A longer name loses the end of its function, never its random part. */
export const longestName = 76

/** Random bytes that make one worker of a function differ from the next. */
export const randomBytes = 4

const ending = new RegExp(`-[0-9a-f]{${2 * randomBytes}}$`)

const beginning = ({ brand, environment }: StackIdentity): string => `${brand}-${environment}-`

/** With room for its random part. */
const shortened = (stem: string): string => stem.slice(0, longestName - 2 * randomBytes - 1)

/** `{brand}-{env}-{function}-{8 hex}`. `random` holds {@link randomBytes} bytes. */
export const make = (identity: StackIdentity, functionName: FunctionName, random: Uint8Array): string => {
  const suffix = Array.from(random.subarray(0, randomBytes), (byte) => byte.toString(16).padStart(2, "0")).join("")
  return `${shortened(`${beginning(identity)}${functionName}`)}-${suffix}`
}

/** Whether it may be a name of this stack's: one whose environment begins with this one's, and a dash, has such names as well. */
export const isOf = (identity: StackIdentity, name: string): boolean =>
  name.startsWith(shortened(beginning(identity))) && ending.test(name)
