/** Names of the log streams of workers, as AWS makes them. */

/** Random bytes that make one worker's stream differ from the next. */
export const randomBytes = 16

/** `2026/11/21/[$LATEST]` and 32 hexadecimal digits. `random` holds {@link randomBytes} bytes. */
export const make = (now: Date, random: Uint8Array): string => {
  const digits = Array.from(random.subarray(0, randomBytes), (byte) => byte.toString(16).padStart(2, "0")).join("")
  return `${now.toISOString().slice(0, 10).replaceAll("-", "/")}/[$LATEST]${digits}`
}
