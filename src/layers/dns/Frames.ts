/** Messages on a connection, each behind its length. @see https://www.rfc-editor.org/rfc/rfc1035#section-4.2.2 */

const lengthBytes = 2

export interface Frames {
  readonly push: (chunk: Buffer) => void
  /** The next whole message; none, while it is not there. What is too long is not waited for. */
  readonly next: () => Buffer | "too long" | undefined
}

export const framed = (message: Buffer): Buffer => {
  const length = Buffer.alloc(lengthBytes)
  length.writeUInt16BE(message.length, 0)
  return Buffer.concat([length, message])
}

export const make = (longest: number): Frames => {
  let pending = Buffer.alloc(0)
  return {
    push: (chunk) => {
      pending = Buffer.concat([pending, chunk])
    },
    next: () => {
      if (pending.length < lengthBytes) return undefined
      const end = lengthBytes + pending.readUInt16BE(0)
      if (end > lengthBytes + longest) return "too long"
      if (pending.length < end) return undefined
      const message = pending.subarray(lengthBytes, end)
      pending = pending.subarray(end)
      return message
    }
  }
}
