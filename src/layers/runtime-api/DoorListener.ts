/** The HTTP server of one door: who is let in, on which port. */
import { Effect, type Scope } from "effect"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { RuntimeUnavailable } from "#domain/Failure"
import * as Answers from "./Answers.ts"
import type { DoorSettings } from "./DoorSettings.ts"

export interface DoorListener {
  readonly port: number
  /** From now on this address is served, and no other. */
  readonly admit: (address: string) => void
}

type Serve = (request: IncomingMessage, response: ServerResponse) => void

/** Runtimes send the cause of an error in a header of up to this size. */
const maxHeaderSize = 1_048_576

/** A poll is parked for as long as its worker is idle: nothing here may time out on its own. */
const serverOptions = { maxHeaderSize, keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }

/** An IPv4 address as a dual-stack socket shows it is the same address. */
const plain = (address: string | undefined): string => (address ?? "").replace(/^::ffff:/, "")

/**
 * Our own clients prove with every request that they are the worker this door was made for: process workers share an
 * address, and a runtime that outlived its Gateway might poll a port that belongs to somebody else now. A stranger sends
 * nothing and is believed, so there is nothing to be won by guessing the token.
 */
const isForeign = (request: IncomingMessage, token: string): boolean => {
  const sent = request.headers["esb-worker-token"]
  return sent !== undefined && sent !== token
}

const wrongToken = {
  status: 403,
  errorType: "InvalidWorkerToken",
  errorMessage: "This door belongs to another worker"
}

const bindTo = (server: Server, host: string, port: number): Effect.Effect<void, NodeJS.ErrnoException> =>
  Effect.callback((resume) => {
    const onError = (error: NodeJS.ErrnoException): void => resume(Effect.fail(error))
    server.once("error", onError)
    server.listen({ host, port, exclusive: true }, () => {
      server.off("error", onError)
      resume(Effect.void)
    })
  })

/** Makes a server listen, and tells its port. */
type Bind = (server: Server) => Effect.Effect<number, RuntimeUnavailable>

const cannotListen = (host: string, port: number) => (cause: NodeJS.ErrnoException) =>
  new RuntimeUnavailable({ detail: `cannot listen on ${host}:${port}: ${cause.message}`, cause })

/** Binds this port, or none. */
export const only =
  ({ bindHost }: DoorSettings, port: number): Bind =>
  (server) =>
    bindTo(server, bindHost, port).pipe(Effect.as(port), Effect.mapError(cannotListen(bindHost, port)))

/** Binds the first free port that `nextPort` names; every other failure to bind ends the search. */
export const anyOf = ({ bindHost, ports }: DoorSettings, nextPort: () => number): Bind =>
  Effect.fnUntraced(function* (server: Server) {
    for (let tried = ports.first; tried <= ports.last; tried++) {
      const port = nextPort()
      const taken = yield* bindTo(server, bindHost, port).pipe(
        Effect.as(false),
        Effect.catchIf(
          (error) => error.code === "EADDRINUSE",
          () => Effect.succeed(true)
        ),
        Effect.mapError(cannotListen(bindHost, port))
      )
      if (!taken) return port
    }
    return yield* new RuntimeUnavailable({ detail: `no port from ${ports.first} to ${ports.last} is free` })
  })

const close = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    // A server that never listened says so here, and is as closed as one that did.
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

/** Bound when this returns; closed, with every connection, when the scope ends. */
export const listen = Effect.fnUntraced(function* (
  settings: DoorSettings,
  bind: Bind,
  token: string,
  serve: Serve
): Effect.fn.Return<DoorListener, RuntimeUnavailable, Scope.Scope> {
  let admitted: string | undefined
  /** Who connected before anybody was admitted. */
  const early = new Set<Socket>()
  let parked: Array<() => void> = []

  const answer: Serve = (request, response) => {
    response.sendDate = false
    if (isForeign(request, token)) Answers.refusal(response, wrongToken)
    else serve(request, response)
  }

  const server = yield* Effect.acquireRelease(
    Effect.sync(() => createServer(serverOptions)),
    close
  )
  server.maxConnections = settings.connections
  server.on("connection", (socket: Socket) => {
    if (admitted !== undefined) {
      if (plain(socket.remoteAddress) !== admitted) socket.destroy()
      return
    }
    early.add(socket)
    socket.once("close", () => early.delete(socket))
  })
  server.on("request", (request, response) => {
    if (admitted !== undefined) answer(request, response)
    else if (parked.length >= settings.parkedRequests) request.socket.destroy()
    else parked.push(() => answer(request, response))
  })
  const port = yield* bind(server)

  return {
    port,
    admit: (address) => {
      admitted = plain(address)
      for (const socket of early) {
        if (plain(socket.remoteAddress) !== admitted) socket.destroy()
      }
      early.clear()
      const waiting = parked
      parked = []
      for (const resume of waiting) resume()
    }
  }
})
