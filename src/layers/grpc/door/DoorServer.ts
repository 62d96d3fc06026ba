/** An HTTP/1.1 server that listens nowhere: it is handed connections which a {@link PeerListener} has let in. */
import { Effect, type Scope } from "effect"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { longestListBytes } from "#domain/InvocationHeaders"

export interface ServerLimits {
  /** From the first byte of a request to the end of its headers. */
  readonly headersLimitMs: number
  /** From the first byte of a request to its last. */
  readonly requestLimitMs: number
}

export const defaultLimits: ServerLimits = {
  headersLimitMs: 10_000,
  requestLimitMs: 60_000
}

/** How often requests that take too long are looked for. */
const lookEveryMs = 1_000

/** Only a client knows that it will not need an idle connection any more; whoever closes it first here would cut off a call. */
const never = 0

const make = (limits: ServerLimits): Server => {
  const server = createServer({
    maxHeaderSize: longestListBytes,
    keepAliveTimeout: never,
    headersTimeout: limits.headersLimitMs,
    requestTimeout: limits.requestLimitMs,
    connectionsCheckingInterval: lookEveryMs
  })
  // Node begins to watch over connections and their limits when a server listens, which this one never does.
  server.emit("listening")
  return server
}

const close = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    // A server that never listened says so here, and is as closed as one that did.
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

/** Takes connections. They are closed when the scope ends. */
export const serve = Effect.fnUntraced(function* (
  limits: ServerLimits,
  answer: (request: IncomingMessage, response: ServerResponse) => void
): Effect.fn.Return<(socket: Duplex) => void, never, Scope.Scope> {
  const server = yield* Effect.acquireRelease(
    Effect.sync(() => make(limits)),
    close
  )
  server.on("request", (request, response) => {
    response.sendDate = false
    answer(request, response)
  })
  return (socket) => void server.emit("connection", socket)
})
