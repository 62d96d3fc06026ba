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

/**
 * To a connection on which a request may be on its way at this very moment. Whoever has sent one takes it for the answer, by which
 * HTTP has it that nothing was done; to others it says that the connection ends.
 */
const farewell = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
/** For its reader to close the connection. What is still in it when it is closed from here would take the farewell along. */
const farewellLimitMs = 1_000

const close = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    // A server that never listened says so here, and is as closed as one that did.
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

/** Its request is here, and its answer is not. */
const isServed = (response: ServerResponse): boolean =>
  !response.writableEnded && (response.headersSent || response.req.complete)

/** Closed when this returns. */
const parting = (socket: Duplex, response: ServerResponse | undefined): Effect.Effect<void> =>
  Effect.callback((resume) => {
    socket.once("close", () => resume(Effect.void))
    if (response !== undefined && isServed(response)) socket.destroy()
    else if (!socket.writableEnded) socket.end(farewell)
  })

/** Connections, each with the answer to its last request. */
class Connections {
  #isClosing = false
  readonly #open = new Map<Duplex, ServerResponse | undefined>()

  add(socket: Duplex): void {
    this.#open.set(socket, undefined)
    socket.once("close", () => this.#open.delete(socket))
  }

  /** `false`: the connection has been taken leave of, and nothing that comes on it counts. */
  begin(socket: Duplex, response: ServerResponse): boolean {
    if (!this.#isClosing) this.#open.set(socket, response)
    return !this.#isClosing
  }

  /** Whoever waits for an answer longer than this program can give one is cut off. */
  get takeLeave(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#isClosing = true
      return Effect.forEach([...this.#open], ([socket, response]) => parting(socket, response), {
        concurrency: "unbounded",
        discard: true
      })
    }).pipe(Effect.timeoutOption(farewellLimitMs), Effect.asVoid)
  }
}

/** Takes connections. When the scope ends they are closed so that nobody takes a request that came too late for one that was read. */
export const serve = Effect.fnUntraced(function* (
  limits: ServerLimits,
  answer: (request: IncomingMessage, response: ServerResponse) => void
): Effect.fn.Return<(socket: Duplex) => void, never, Scope.Scope> {
  const connections = new Connections()
  const server = yield* Effect.acquireRelease(
    Effect.sync(() => make(limits)),
    (server) => Effect.andThen(connections.takeLeave, close(server))
  )
  server.on("request", (request, response) => {
    if (!connections.begin(request.socket, response)) return void request.resume()
    response.sendDate = false
    answer(request, response)
  })
  return (socket) => {
    connections.add(socket)
    server.emit("connection", socket)
  }
})
