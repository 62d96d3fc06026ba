/** The last bytes of a call's log, as `LogType=Tail` returns them. */
import { limits } from "./Invocation.ts"

const encoder = new TextEncoder()

/** Takes lines as they come and keeps no more than the limit needs. */
export interface LogTail {
  /** A line without its newline. */
  readonly append: (line: string) => void
  /** At most `limitBytes`, from wherever that cuts; every line ends in a newline. */
  readonly bytes: () => Uint8Array
}

export const make = (limitBytes: number = limits.logTailBytes): LogTail => {
  let lines: Array<Uint8Array> = []
  let size = 0
  return {
    append: (line) => {
      // No character takes less than one byte, so what lies further from the end cannot be part of the tail.
      const bytes = encoder.encode(`${line.slice(-limitBytes)}\n`)
      lines.push(bytes)
      size += bytes.length
      let spare = 0
      while (size - (lines[spare]?.length ?? size) >= limitBytes) size -= lines[spare++]?.length ?? 0
      if (spare > 0) lines = lines.slice(spare)
    },
    bytes: () => {
      const all = new Uint8Array(size)
      let at = 0
      for (const line of lines) {
        all.set(line, at)
        at += line.length
      }
      return all.slice(Math.max(0, size - limitBytes))
    }
  }
}
