/** An HTTP server on loopback that answers as a test wants it to, and remembers what it was asked. */
import { Effect } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { once } from "node:events"

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly atMs: number
}

export type Conduct = (asked: Asked, response: ServerResponse) => void

export interface WaywardServer {
  /** Host and port. */
  readonly host: string
  readonly asked: ReadonlyArray<Asked>
  /** Connections that were made, and those that are open. */
  readonly connections: () => { readonly made: number; readonly open: number }
}

/** Ends with the scope, connections and all. */
export const make = Effect.fnUntraced(function* (conduct: Conduct) {
  const asked: Array<Asked> = []
  let made = 0
  let open = 0
  const server = createServer((request, response) => {
    const { headers, method = "", url: path = "" } = request
    const question = { method, path, headers, atMs: performance.now() }
    asked.push(question)
    request.on("error", () => undefined).resume()
    // The answer of a server that has read everything; the fault is what it says then.
    request.on("end", () =>
      conduct(
        question,
        response.on("error", () => undefined)
      )
    )
  })
  server.on("connection", (socket) => {
    made += 1
    open += 1
    socket.on("error", () => undefined).on("close", () => (open -= 1))
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => once(server.listen(0, "127.0.0.1"), "listening")),
    () =>
      Effect.promise(async () => {
        server.closeAllConnections()
        await new Promise((closed) => server.close(closed))
      })
  )
  const { port } = server.address() as AddressInfo
  return { host: `127.0.0.1:${port}`, asked, connections: () => ({ made, open }) } satisfies WaywardServer
})
