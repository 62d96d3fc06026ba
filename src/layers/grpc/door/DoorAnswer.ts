/**
 * What the data door answers. A result or a failure is one write with its length; an answer that the function streams goes out
 * as it comes, and says in trailers how it ended.
 */
import { Buffer } from "node:buffer"
import type { ServerResponse } from "node:http"
import type { Failure } from "#domain/Failure"
import type { AnswerStream, InvocationResult } from "#domain/Invocation"
import * as InvocationHeaders from "#domain/InvocationHeaders"
import * as Status from "../Status.ts"

export const failureHeader = "esb-failure"
/** Behind a streamed answer: the failure itself, as JSON in base64. */
export const lateFailureTrailer = "esb-failure-text"
/** Behind a streamed answer: the payload of the error with which the function ended it, in base64. */
export const latePayloadTrailer = "esb-error-payload"

const isOpen = (response: ServerResponse): boolean => !response.writableEnded && !response.destroyed

/** Up to here a body is copied into the text of its head: one buffer is encrypted and sent in one go. */
const joinedBytes = 16_384

/** Latin-1 is bytes, one character each. A connection that is gone takes no answer, and nobody waits for it. */
const write = (
  response: ServerResponse,
  status: number,
  headers: InvocationHeaders.Headers,
  body: Uint8Array
): void => {
  if (!isOpen(response)) return
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  response.writeHead(status, { ...headers, "content-length": String(bytes.length) })
  if (bytes.length > joinedBytes) response.end(bytes)
  else response.end(bytes.toString("latin1"), "latin1")
}

const fail = (response: ServerResponse, told: Failure, more: InvocationHeaders.Headers = {}): void => {
  const headers = { "content-type": "application/json", [failureHeader]: told._tag, ...more }
  write(response, Status.httpStatus(told), headers, Buffer.from(Status.toText(told)))
}

/** How a call is told to have ended. */
export interface Ending {
  readonly end: (told: InvocationResult) => void
  readonly fail: (told: Failure) => void
}

export const whole = (response: ServerResponse): Ending => ({
  end: (told) => write(response, 200, InvocationHeaders.ofResult(told), told.payload),
  fail: (told) => fail(response, told)
})

/** A failure, after which no further request is wanted on this connection. */
export const part = (response: ServerResponse, told: Failure): void => fail(response, told, { connection: "close" })

export const nothing = (response: ServerResponse): void => {
  if (!isOpen(response)) return
  response.writeHead(204)
  response.end()
}

export const wrongMethod = (response: ServerResponse, allowed: string): void =>
  write(response, 405, { allow: allowed }, new Uint8Array())

/** A response as the way of a streamed answer. Once its connection is gone it swallows all, so that the call runs to its end. */
export class StreamedAnswer implements AnswerStream, Ending {
  begun = false
  readonly #response: ServerResponse
  #resume: (() => void) | undefined

  constructor(response: ServerResponse) {
    this.#response = response
  }

  begin(contentType: string): void {
    this.begun = true
    if (!isOpen(this.#response)) return
    const trailer = [failureHeader, lateFailureTrailer, latePayloadTrailer].join(", ")
    this.#response.writeHead(200, { "content-type": InvocationHeaders.ofText(contentType), trailer })
    this.#response.flushHeaders()
    const goOn = (): void => this.#goOn()
    this.#response.on("drain", goOn)
    this.#response.on("close", goOn)
  }

  write(chunk: Uint8Array): boolean {
    return !isOpen(this.#response) || this.#response.write(chunk)
  }

  drained(resume: () => void): void {
    if (isOpen(this.#response) && this.#response.writableNeedDrain) this.#resume = resume
    else resume()
  }

  /** A payload is that of the error with which the function ended its stream. */
  end(told: InvocationResult): void {
    const { "content-type": _begun, ...head } = InvocationHeaders.ofResult(told)
    this.#close(
      told.payload.length === 0 ? head : { ...head, [latePayloadTrailer]: Buffer.from(told.payload).toString("base64") }
    )
  }

  fail(told: Failure): void {
    this.#close({
      [failureHeader]: told._tag,
      [lateFailureTrailer]: Buffer.from(Status.toText(told)).toString("base64")
    })
  }

  #close(trailers: InvocationHeaders.Headers): void {
    if (!isOpen(this.#response)) return
    this.#response.addTrailers(trailers)
    this.#response.end()
  }

  #goOn(): void {
    const resume = this.#resume
    this.#resume = undefined
    resume?.()
  }
}
