/**
 * The two ends of a listener's life.
 *
 * Its port has to be known before there are doors behind it; what comes in between would never be answered, so it waits.
 * When it closes, a connection that looks idle may have a request on its way: each is kept for a moment longer, and the next
 * answer on it is its last.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http"

/** Requests that may wait for the doors to open; one more is told to come again. */
const mostEarly = 1_000

/** How long a request may have been on its way when the listener closes. */
const lingerMs = 100

type Exchange = readonly [request: IncomingMessage, response: ServerResponse]

const comeAgain = (response: ServerResponse): void => {
  response.writeHead(503, { "content-type": "application/json", "retry-after": "1" })
  response.end(JSON.stringify({ message: "The Gateway is starting" }))
}

/** Keeps requests until somebody else listens for them. */
const holdEarly = (server: Server): void => {
  const early: Array<Exchange> = []
  const hold = (...exchange: Exchange): void =>
    early.length < mostEarly ? void early.push(exchange) : comeAgain(exchange[1])
  const admit = (): void => {
    for (const exchange of early) {
      const hasLeft = exchange[1].destroyed
      if (!hasLeft) {
        server.emit("request", ...exchange)
      }
    }
  }
  const open = (event: string | symbol): void => {
    if (event === "request") {
      server.off("newListener", open)
      server.off("request", hold)
      // This event comes before its listener is there.
      setImmediate(admit)
    }
  }
  server.on("request", hold)
  server.on("newListener", open)
}

const partSlowly = (server: Server): void => {
  const unanswered = new Set<ServerResponse>()
  const closeIdleConnections = server.closeIdleConnections.bind(server)
  const closeSoon = (): void => void setTimeout(closeIdleConnections, lingerMs)
  // Node calls this when the server is closed.
  server.closeIdleConnections = () => {
    for (const response of unanswered) {
      response.shouldKeepAlive = false
    }
    closeSoon()
  }
  server.prependListener("request", (_, response) => {
    if (!server.listening) {
      response.shouldKeepAlive = false
      return
    }
    unanswered.add(response)
    response.once("close", () => {
      unanswered.delete(response)
      // Its head may have promised to keep the connection, before the listener closed.
      if (!server.listening) {
        closeSoon()
      }
    })
  })
}

/** To be called before anybody listens for requests of this server. */
export const tend = <S extends Server>(server: S): S => {
  partSlowly(server)
  holdEarly(server)
  return server
}
