/** What the Runtime API says besides events, byte for byte as AWS's own server does. */
import { Buffer } from "node:buffer"
import type { ServerResponse } from "node:http"
import type { Invocation } from "#domain/Invocation"

const jsonType = "application/json"
const acceptedBody = '{"status":"OK"}\n'
const acceptedHeaders = ["Content-Type", jsonType, "Content-Length", String(acceptedBody.length)]

/** A connection that is gone takes no answer; whatever follows from that is seen where connections are watched. */
const isOpen = (response: ServerResponse): boolean => !response.writableEnded && !response.destroyed

export const accepted = (response: ServerResponse): void => {
  if (!isOpen(response)) return
  response.writeHead(202, acceptedHeaders)
  response.end(acceptedBody)
}

export const json = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: ReadonlyArray<string> = []
): void => {
  if (!isOpen(response)) return
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`)
  response.writeHead(status, [...headers, "Content-Type", jsonType, "Content-Length", String(bytes.length)])
  response.end(bytes)
}

export interface ErrorAnswer {
  readonly status: number
  readonly errorType: string
  readonly errorMessage: string
}

export const refusal = (response: ServerResponse, { status, errorType, errorMessage }: ErrorAnswer): void =>
  json(response, status, { errorMessage, errorType })

export const notFound = (response: ServerResponse): void => {
  if (!isOpen(response)) return
  response.writeHead(404, ["Content-Type", "text/plain; charset=utf-8"])
  response.end("404 page not found\n")
}

export const wrongMethod = (response: ServerResponse): void => {
  if (!isOpen(response)) return
  response.writeHead(405)
  response.end()
}

/** Bytes that HTTP does not allow in a header: all below the space but the tab, and DEL. */
// oxlint-disable-next-line no-control-regex
const forbidden = /[\u0000-\u0008\u000a-\u001f\u007f]/g
const harmless = /^[\t\u0020-\u007e]*$/

/** Text as a header carries it: its UTF-8 bytes, one character each, with a space for every byte HTTP does not allow. */
const headerText = (text: string): string =>
  harmless.test(text) ? text : Buffer.from(text, "utf8").toString("latin1").replace(forbidden, " ")

/** Up to here a body is copied into its head's text: one buffer is written 3 µs faster than two, measured. */
const joinedBytes = 16_384

/** Latin-1 is bytes, one character each. */
const endWith = (response: ServerResponse, body: Uint8Array): void => {
  if (body.length > joinedBytes) response.end(body)
  else response.end(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1"), "latin1")
}

/** The answer to `next`. Some runtime clients look for the names in this spelling and no other. */
export const event = (response: ServerResponse, invocation: Invocation, deadlineUnixMs: number): void => {
  const headers = [
    "Content-Type",
    jsonType,
    "Content-Length",
    String(invocation.payload.length),
    "Lambda-Runtime-Aws-Request-Id",
    invocation.requestId,
    "Lambda-Runtime-Deadline-Ms",
    String(deadlineUnixMs),
    "Lambda-Runtime-Invoked-Function-Arn",
    headerText(invocation.invokedArn)
  ]
  // A header without a value is left out, as AWS does.
  if (invocation.traceId !== "") headers.push("Lambda-Runtime-Trace-Id", headerText(invocation.traceId))
  const { clientContext = "" } = invocation
  if (clientContext !== "") headers.push("Lambda-Runtime-Client-Context", headerText(clientContext))
  response.writeHead(200, headers)
  endWith(response, invocation.payload)
}
