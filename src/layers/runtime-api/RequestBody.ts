/** Bodies of requests, whole or as they come, within a limit. */
import { Buffer } from "node:buffer"
import type { IncomingMessage } from "node:http"

interface BodyEnd {
  /** It is longer than its limit. Its rest is thrown away. */
  readonly tooLarge: () => void
  /** The last byte of a body that was too large has come. */
  readonly drained: () => void
  /** The connection closed before the last byte. */
  readonly cut: () => void
}

export interface BodyReader extends BodyEnd {
  /** The whole body is there. */
  readonly whole: (body: Buffer) => void
}

export interface BodyFollower extends BodyEnd {
  /** The next bytes, within the limit. */
  readonly chunk: (chunk: Buffer) => void
  /** The last byte has come. */
  readonly ended: () => void
}

/** A body that goes on for `drainLimitBytes` past its limit loses its connection. */
export const follow = (
  request: IncomingMessage,
  limitBytes: number,
  drainLimitBytes: number,
  follower: BodyFollower
): void => {
  let size = 0
  let ended = false
  request.on("data", (chunk: Buffer) => {
    const before = size
    size += chunk.length
    if (size <= limitBytes) follower.chunk(chunk)
    else if (before <= limitBytes) follower.tooLarge()
    else if (size > limitBytes + drainLimitBytes) request.destroy()
  })
  request.on("end", () => {
    ended = true
    if (size > limitBytes) follower.drained()
    else follower.ended()
  })
  request.on("close", () => {
    if (!ended) follower.cut()
  })
}

export const read = (
  request: IncomingMessage,
  limitBytes: number,
  drainLimitBytes: number,
  reader: BodyReader
): void => {
  const chunks: Array<Buffer> = []
  follow(request, limitBytes, drainLimitBytes, {
    chunk: (chunk) => void chunks.push(chunk),
    ended: () => {
      const [first = Buffer.alloc(0)] = chunks
      reader.whole(chunks.length > 1 ? Buffer.concat(chunks) : first)
    },
    tooLarge: () => {
      chunks.length = 0
      reader.tooLarge()
    },
    drained: reader.drained,
    cut: reader.cut
  })
}
