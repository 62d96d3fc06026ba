/** Bodies of requests, read whole, within a limit. */
import { Buffer } from "node:buffer"
import type { IncomingMessage } from "node:http"

export interface BodyReader {
  /** The whole body is there. */
  readonly whole: (body: Buffer) => void
  /** It is longer than its limit. Its rest is thrown away. */
  readonly tooLarge: () => void
  /** The last byte of a body that was too large has come. */
  readonly drained: () => void
  /** The connection closed before the last byte. */
  readonly cut: () => void
}

/** A body that goes on for `drainLimitBytes` past its limit loses its connection. */
export const read = (
  request: IncomingMessage,
  limitBytes: number,
  drainLimitBytes: number,
  reader: BodyReader
): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  let ended = false
  request.on("data", (chunk: Buffer) => {
    const before = size
    size += chunk.length
    if (size <= limitBytes) chunks.push(chunk)
    else if (before <= limitBytes) {
      chunks.length = 0
      reader.tooLarge()
    } else if (size > limitBytes + drainLimitBytes) request.destroy()
  })
  request.on("end", () => {
    ended = true
    if (size > limitBytes) return reader.drained()
    const [first = Buffer.alloc(0)] = chunks
    return reader.whole(chunks.length > 1 ? Buffer.concat(chunks, size) : first)
  })
  request.on("close", () => {
    if (!ended) reader.cut()
  })
}
