/** What the Runtime API answers, read piece by piece from a socket. */

export interface HttpAnswer {
  readonly status: number
  /** Names in lower case. Values are UTF-8: a client context travels as JSON in a header. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** A client context may be several KiB; whoever sends more than this is not a Runtime API. */
const MAX_HEAD_BYTES = 1024 * 1024

const parseHead = (head: string) => {
  const [statusLine = "", ...lines] = head.split("\r\n")
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1])
  if (Number.isNaN(status)) throw new Error(`not an HTTP answer: ${statusLine.slice(0, 80)}`)
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(":")
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
  return { status, headers }
}

const parseChunkSize = (line: string) => {
  const size = Number.parseInt(line, 16)
  if (Number.isNaN(size)) throw new Error(`not the size of a chunk: ${line.slice(0, 80)}`)
  return size
}

/** Reads one answer. Bodies are framed by `Content-Length` or by chunks; one that ends with the connection is refused. */
export class AnswerReader {
  #input: Buffer = Buffer.alloc(0)
  readonly #reading = this.#read()

  /** The answer once its last byte is here. Throws when the bytes are not HTTP. */
  push(piece: Buffer): HttpAnswer | undefined {
    this.#input = this.#input.length === 0 ? piece : Buffer.concat([this.#input, piece])
    const step = this.#reading.next()
    return step.done === true ? step.value : undefined
  }

  /** Pauses where more bytes are needed. */
  *#read(): Generator<void, HttpAnswer> {
    let { status, headers } = parseHead(yield* this.#until("\r\n\r\n"))
    while (status < 200) ({ status, headers } = parseHead(yield* this.#until("\r\n\r\n")))

    const body: Array<Buffer> = []
    if (/chunked/i.test(headers.get("transfer-encoding") ?? "")) {
      for (;;) {
        const size = parseChunkSize(yield* this.#until("\r\n"))
        if (size === 0) break
        yield* this.#take(size, body)
        yield* this.#until("\r\n")
      }
      while ((yield* this.#until("\r\n")) !== "");
    } else {
      const length = Number(headers.get("content-length") ?? (status === 204 ? 0 : undefined))
      if (Number.isNaN(length)) throw new Error("an HTTP answer without a length")
      yield* this.#take(length, body)
    }
    const [only] = body
    return { status, headers, body: body.length === 1 && only !== undefined ? only : Buffer.concat(body) }
  }

  *#until(delimiter: string): Generator<void, string> {
    for (;;) {
      const end = this.#input.indexOf(delimiter)
      if (end !== -1) {
        const text = this.#input.toString("utf8", 0, end)
        this.#input = this.#input.subarray(end + delimiter.length)
        return text
      }
      if (this.#input.length > MAX_HEAD_BYTES) throw new Error(`an HTTP line of more than ${MAX_HEAD_BYTES} bytes`)
      yield
    }
  }

  /** Moves bytes as they come, so that a large body is copied once. */
  *#take(size: number, into: Array<Buffer>): Generator<void, void> {
    for (let missing = size; ;) {
      const taken = this.#input.subarray(0, missing)
      this.#input = this.#input.subarray(taken.length)
      if (taken.length > 0) into.push(taken)
      missing -= taken.length
      if (missing === 0) return
      yield
    }
  }
}
