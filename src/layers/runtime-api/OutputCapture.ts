/** What a worker writes, cut into lines, within limits. */
import { Buffer } from "node:buffer"
import type { DoorSettings } from "./DoorSettings.ts"

export interface OutputCapture {
  readonly push: (chunk: Uint8Array) => void
  /** Hands out what was written of a line that has not ended. */
  readonly flush: () => void
}

const newline = 0x0a

/** Carriage returns stay inside a line: some clients write a traceback as one. `now` is in milliseconds. */
export const make = (
  settings: Pick<DoorSettings, "lineLimitBytes" | "outputRate">,
  onLine: (line: string) => void,
  now: () => number = () => performance.now()
): OutputCapture => {
  const { lineLimitBytes, outputRate } = settings
  let begun: Array<Buffer> = []
  let begunBytes = 0
  /** The rest of the current line is of no interest: it was too long, or its beginning was dropped. */
  let skipping = false
  let allowance = outputRate.burstBytes
  let refilledAt = now()
  let dropping = false
  let droppedBytes = 0

  const emit = (last: Buffer, note: string): void => {
    const line = begun.length === 0 ? last : Buffer.concat([...begun, last])
    begun = []
    begunBytes = 0
    onLine(line.toString("utf8") + note)
  }

  const take = (part: Buffer, ended: boolean): void => {
    if (!skipping && begunBytes + part.length > lineLimitBytes) {
      emit(part.subarray(0, lineLimitBytes - begunBytes), ` [line cut after ${lineLimitBytes} bytes]`)
      skipping = true
    } else if (!skipping && ended) {
      emit(part, "")
    } else if (!skipping && part.length > 0) {
      begun.push(part)
      begunBytes += part.length
    }
    if (ended) skipping = false
  }

  /** Whether the worker's rate allows this much now. Once it did not, a second's worth must be saved up first. */
  const allows = (bytes: number): boolean => {
    const at = now()
    allowance = Math.min(outputRate.burstBytes, allowance + ((at - refilledAt) / 1_000) * outputRate.bytesPerSecond)
    refilledAt = at
    dropping = dropping ? allowance < outputRate.bytesPerSecond : bytes > allowance
    if (dropping) droppedBytes += bytes
    else allowance -= bytes
    return !dropping
  }

  const tellDropped = (): void => {
    const told = `[esb] ${droppedBytes} bytes of output were dropped: more than ${outputRate.bytesPerSecond} bytes per second`
    droppedBytes = 0
    onLine(told)
  }

  return {
    push: (chunk) => {
      if (!allows(chunk.length)) {
        begun = []
        begunBytes = 0
        skipping = true
        return
      }
      if (droppedBytes > 0) tellDropped()
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      let from = 0
      for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, from)) {
        take(bytes.subarray(from, at), true)
        from = at + 1
      }
      take(bytes.subarray(from), false)
    },
    flush: () => {
      if (droppedBytes > 0) tellDropped()
      if (begunBytes > 0) emit(Buffer.alloc(0), "")
    }
  }
}
