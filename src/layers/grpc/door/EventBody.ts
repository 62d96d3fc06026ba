/** The event of a call as it comes in: whole or not at all, so that half of one never reaches a function. */
import { Buffer } from "node:buffer"
import type { IncomingMessage } from "node:http"
import { PayloadTooLarge } from "#domain/Failure"
import { limits } from "#domain/Invocation"

/** Bytes that are read and thrown away past the limit, so that the sender reads the refusal. A longer body loses its connection. */
const drainLimitBytes = 16 * 1024 ** 2

/** Nothing is called for a body whose connection closes before its last byte: what was cut off has not happened. */
export const read = (
  request: IncomingMessage,
  whole: (event: Buffer) => void,
  refused: (failure: PayloadTooLarge) => void
): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  request.on("data", (chunk: Buffer) => {
    size += chunk.length
    if (size <= limits.requestBytes) chunks.push(chunk)
    else chunks.length = 0
    if (size > limits.requestBytes + drainLimitBytes) request.destroy()
  })
  request.on("end", () => {
    if (size > limits.requestBytes) return refused(new PayloadTooLarge({ limitBytes: limits.requestBytes }))
    const [first = Buffer.alloc(0)] = chunks
    return whole(chunks.length > 1 ? Buffer.concat(chunks, size) : first)
  })
}
