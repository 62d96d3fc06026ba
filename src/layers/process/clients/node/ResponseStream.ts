/**
 * The writable that a streaming handler gets. Its bytes leave as they are written; a failure after the first byte
 * travels in trailers, as its type and as base64 of its error object.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
 */
import { createRequire } from "node:module"
import type { OpenRequest } from "./Connection.ts"
import { errorBody, headerValue, RuntimeFault } from "./Fault.ts"
import type { HttpAnswer } from "./HttpAnswer.ts"
import { flushed } from "./StandardStreams.ts"

// Loaded already, as the base of every socket; an ES import of it would enumerate its exports.
const { Writable } = createRequire(import.meta.url)("node:stream") as typeof import("node:stream")

const HTTP_INTEGRATION = "application/vnd.awslambda.http-integration-response"
/** Ends the JSON that says status and headers, see {@link HttpResponseStream}. */
const PRELUDE_END = Buffer.alloc(8)
const CRLF = Buffer.from("\r\n")

type Done = (cause?: Error | null) => void

/** Strings and bytes as they are; anything else becomes JSON, as on AWS. */
const toBytes = (chunk: unknown, encoding?: BufferEncoding): Uint8Array => {
  if (chunk instanceof Uint8Array) return chunk
  if (typeof chunk === "string") return Buffer.from(chunk, encoding)
  return Buffer.from(JSON.stringify(chunk) ?? "null")
}

export class ResponseStream extends Writable {
  readonly #start: (contentType: string) => OpenRequest
  #contentType = "application/octet-stream"
  #prelude: Buffer | undefined
  #trailers = ""
  #request: OpenRequest | undefined

  /** @param start opens the request; not called before there is something to send */
  constructor(start: (contentType: string) => OpenRequest, highWaterMark: number | undefined) {
    super({ decodeStrings: false, ...(highWaterMark !== undefined && { highWaterMark }) })
    this.#start = start
    // Whoever writes may listen as well. For the rest, a stream that broke is one that was not finished.
    this.on("error", () => {})
  }

  /** Throws once the first byte is written. */
  setContentType(contentType: string) {
    if (this.#request !== undefined || this.writableLength > 0) {
      throw new RuntimeFault("Runtime.InvalidStreamingOperation", "Cannot set content-type, too late.")
    }
    this.#contentType = contentType
  }

  /** Status and headers of an HTTP response, sent ahead of the first byte. */
  setPrelude(metadata: unknown) {
    this.setContentType(HTTP_INTEGRATION)
    this.#prelude = Buffer.concat([Buffer.from(JSON.stringify(metadata)), PRELUDE_END])
  }

  override write(chunk: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    if (typeof encoding === "function") return super.write(toBytes(chunk), encoding)
    return super.write(toBytes(chunk, encoding), done)
  }

  override end(chunk?: unknown, encoding?: BufferEncoding | (() => void), done?: () => void): this {
    if (typeof chunk === "function") return super.end(chunk as () => void)
    if (chunk !== undefined && chunk !== null) this.write(chunk, typeof encoding === "function" ? undefined : encoding)
    return super.end(typeof encoding === "function" ? encoding : done)
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done) {
    this.#open()
    this.#writeChunk(chunk, done)
  }

  override _final(done: Done) {
    void flushed().then(() => this.#open().write(this.#lastChunk(), done))
  }

  /** Ends the answer with a failure, after all that was written before. Resolves when it is on its way. */
  fail(thrown: unknown): Promise<void> {
    // The caller has a whole answer already, and the log tells the rest.
    if (this.writableEnded && (this.writableFinished || !this.destroyed)) return Promise.resolve()
    const body = errorBody(thrown)
    this.#trailers =
      `Lambda-Runtime-Function-Error-Type: ${headerValue(body.errorType)}\r\n` +
      `Lambda-Runtime-Function-Error-Body: ${Buffer.from(JSON.stringify(body)).toString("base64")}\r\n`
    return new Promise((resolve) => {
      if (this.destroyed) this.#open().write(this.#lastChunk(), () => resolve())
      else super.end(() => resolve())
    })
  }

  /** What the Runtime API said to the whole answer. */
  answer(): Promise<HttpAnswer> {
    return this.#open().answer()
  }

  #open(): OpenRequest {
    if (this.#request !== undefined) return this.#request
    const request = this.#start(this.#contentType)
    this.#request = request
    if (this.#prelude !== undefined) this.#writeChunk(this.#prelude, () => {})
    return request
  }

  #lastChunk() {
    return Buffer.from(`0\r\n${this.#trailers}\r\n`)
  }

  #writeChunk(chunk: Uint8Array, done: Done) {
    // A chunk of no bytes would end the body.
    if (chunk.length === 0) return done()
    const size = Buffer.from(`${chunk.length.toString(16)}\r\n`)
    this.#request?.write(Buffer.concat([size, chunk, CRLF]), done)
  }
}

/** `awslambda.HttpResponseStream`. */
export const HttpResponseStream = {
  from: (stream: ResponseStream, metadata: unknown): ResponseStream => {
    stream.setPrelude(metadata)
    return stream
  }
}
