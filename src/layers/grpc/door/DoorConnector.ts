/**
 * Connections to data doors that are known to be heard: an Agent that is frozen, or that turns us away, looks at first like one
 * that takes a connection. Each is handed over only after the Agent has answered on it, so that the first call it carries is not
 * lost to either.
 */
import { Buffer } from "node:buffer"
import type { Socket } from "node:net"
import type { buildConnector } from "undici"
import type { CertificateBundle } from "#services/Certificates"
import { pulsePath } from "./DoorRequest.ts"
import * as PeerCredentials from "../peer/PeerCredentials.ts"

/** Bytes of the head of that answer. */
const longestHead = 16_384

const greeting = (host: string): string => `GET ${pulsePath} HTTP/1.1\r\nhost: ${host}\r\n\r\n`
const welcome = "HTTP/1.1 204 "
const headEnd = "\r\n\r\n"

/** Asks for a sign of life, by hand: the connection is nobody's yet. */
const greet = (socket: Socket, host: string, limitMs: number, done: (error: Error | undefined) => void): void => {
  let heard = ""
  const finish = (error?: Error): void => {
    clearTimeout(timer)
    socket.off("readable", onReadable).off("error", finish).off("close", onClose)
    // Whatever else befalls a connection that is given up is of no interest.
    if (error !== undefined) socket.on("error", () => undefined).destroy()
    done(error)
  }
  const onReadable = (): void => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
      heard += chunk.toString("latin1")
    }
    if (heard.length > longestHead) finish(new Error("it is no data door: its answer is too long"))
    else if (heard.endsWith(headEnd)) {
      finish(
        heard.startsWith(welcome) ? undefined : new Error(`it is no data door: ${heard.slice(0, heard.indexOf("\r"))}`)
      )
    }
  }
  const onClose = (): void => finish(new Error("the Agent closed the connection: its log tells why"))
  const silence = Object.assign(new Error(`the Agent did not answer within ${limitMs} ms`), { code: "ETIMEDOUT" })
  const timer = setTimeout(() => finish(silence), limitMs)
  socket.on("readable", onReadable).on("error", finish).on("close", onClose)
  socket.write(greeting(host))
}

/** `limitMs` counts for the connection and its handshake, and again for the first answer. */
export const make = (
  current: () => CertificateBundle | undefined,
  limitMs: number,
  keepAliveMs: number
): buildConnector.connector => {
  const connect = PeerCredentials.connector(current, limitMs)
  return (options, callback) =>
    connect(options, (...made) => {
      const [error, socket] = made
      if (error !== null) return callback(error, null)
      socket.setNoDelay(true)
      socket.setKeepAlive(true, keepAliveMs)
      return greet(socket, options.host ?? options.hostname, limitMs, (problem) => {
        if (problem === undefined) callback(null, socket)
        else callback(problem, null)
      })
    })
}
