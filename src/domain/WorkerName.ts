/** Names of workers, the same whichever engine runs them. */
import type { FunctionName } from "./FunctionName.ts"
import type { StackIdentity } from "./StackIdentity.ts"

/** containerd's limit for an identifier. A longer name loses the end of its function, never its random part. */
export const longestName = 76

/** Random bytes that make one worker of a function differ from the next. */
export const randomBytes = 4

/** `{brand}-{env}-{function}-{8 hex}`. `random` holds {@link randomBytes} bytes. */
export const make = (identity: StackIdentity, functionName: FunctionName, random: Uint8Array): string => {
  const suffix = Array.from(random.subarray(0, randomBytes), (byte) => byte.toString(16).padStart(2, "0")).join("")
  const stem = `${identity.brand}-${identity.environment}-${functionName}`
  return `${stem.slice(0, longestName - suffix.length - 1)}-${suffix}`
}
