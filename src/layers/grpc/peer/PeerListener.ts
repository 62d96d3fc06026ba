/**
 * A port of the Agent. With certificates, a connection is handed over only when its peer has proven to be a Gateway: of any
 * other no byte of a request is read. Every connection proves itself anew, because sessions are not resumed: what a
 * certificate opened once, it does not open after it has expired or its authority was replaced.
 */
import { constants } from "node:crypto"
import { type AddressInfo, createServer as createPlainServer, type Server, type Socket } from "node:net"
import type { Duplex } from "node:stream"
import { createServer as createTlsServer, type SecureContextOptions, type Server as TlsServer } from "node:tls"
import { Effect, Schema, type Scope, Stream } from "effect"
import { type CertificateBundle, Certificates } from "#services/Certificates"
import * as PeerContext from "./PeerContext.ts"
import * as PeerProof from "./PeerProof.ts"
import * as PeerRefusals from "./PeerRefusals.ts"

/** A port could not be opened. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  host: Schema.String,
  port: Schema.Int,
  detail: Schema.String
}) {
  override get message() {
    return `cannot listen on ${this.host}:${this.port}: ${this.detail}`
  }
}

export interface PeerLimits {
  /** Open connections, those included that have not proven themselves yet; one more is closed at once. */
  readonly connections: number
  /** From the first packet of a connection to the end of its TLS handshake. */
  readonly handshakeLimitMs: number
  /** A connection on which nothing comes is tried after this long: a peer that is gone without a word is noticed. */
  readonly keepAliveMs: number
}

const defaultLimits: PeerLimits = { connections: 4_096, handshakeLimitMs: 5_000, keepAliveMs: 30_000 }

export interface PeerOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly protocol: "h2" | "http/1.1"
  /** Takes over a connection, which may last longer than the listener. */
  readonly accept: (socket: Duplex) => void
  readonly limits?: Partial<PeerLimits>
}

type Refuse = (peer: string, reason: string) => void

const reasons: Readonly<Record<string, string>> = {
  EACCES: "this user may not use this port",
  EADDRINUSE: "the port is in use",
  EADDRNOTAVAIL: "this machine does not have the address",
  ENOTFOUND: "the host is not known"
}

const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress ?? "?"}:${remotePort ?? "?"}`

const socketOptions = (limits: PeerLimits) => ({
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: limits.keepAliveMs
})

const plain = (options: PeerOptions, limits: PeerLimits): Server =>
  createPlainServer(socketOptions(limits), options.accept)

const contextOptions = (bundle: CertificateBundle): SecureContextOptions => ({
  ...PeerContext.optionsOf(bundle),
  // Neither is a session resumed, nor does a peer become another within a connection.
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION
})

/** Whoever is still unproven is closed with the scope. */
const secure = Effect.fnUntraced(function* (
  options: PeerOptions,
  limits: PeerLimits,
  bundle: CertificateBundle,
  refuse: Refuse
) {
  const strangers = new Map<string, Socket>()
  const server = createTlsServer({
    ...contextOptions(bundle),
    ...socketOptions(limits),
    ALPNProtocols: [options.protocol],
    handshakeTimeout: limits.handshakeLimitMs,
    requestCert: true,
    // Node would cut off whoever is not proven without telling who it was. That is done below, with address and reason.
    rejectUnauthorized: false
  })
  server.on("connection", (socket: Socket) => {
    const name = nameOf(socket)
    strangers.set(name, socket)
    socket.once("close", () => {
      // Its port may be another's by now.
      if (strangers.get(name) === socket) strangers.delete(name)
    })
  })
  server.on("secureConnection", (socket) => {
    const name = nameOf(socket)
    const objection = PeerProof.objectionTo(socket)
    if (objection !== undefined) {
      socket.destroy()
      return refuse(name, objection)
    }
    strangers.delete(name)
    options.accept(socket)
  })
  server.on("tlsClientError", (error, socket) => {
    const hasLeft = error instanceof Error && "code" in error && error.code === "ECONNRESET"
    // Who comes and leaves without a word looks whether the port is open.
    if (!hasLeft) refuse(nameOf(socket), PeerProof.breachIn(error))
    // After a timeout Node leaves the connection open.
    socket.destroy()
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => strangers.forEach((socket) => socket.destroy())))
  return server
})

const bind = (server: Server, { host, port }: PeerOptions): Effect.Effect<number, ListenFailed> =>
  Effect.callback((resume) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      const detail = reasons[error.code ?? ""] ?? error.message
      resume(Effect.fail(new ListenFailed({ host, port, detail })))
    }
    server.once("error", onError)
    server.listen({ host, port, exclusive: true }, () => {
      server.off("error", onError)
      resume(Effect.succeed((server.address() as AddressInfo).port))
    })
  })

/** New connections meet the new bundle, those that are open stay as they are. */
const renewing = Effect.fnUntraced(function* (server: TlsServer, first: CertificateBundle) {
  const certificates = yield* Certificates
  const adopt = (bundle: CertificateBundle) =>
    Effect.try(() => server.setSecureContext(contextOptions(bundle))).pipe(
      // The bundle was checked by whoever offers it: that OpenSSL does not take it must not end the others after it.
      Effect.catch(({ cause }) => Effect.logError("A new certificate cannot be used; the one before stays", cause))
    )
  yield* Effect.forkScoped(Stream.runForEach(certificates.changes, adopt), { startImmediately: true })
  const current = certificates.current()
  if (current !== undefined && current !== first) yield* adopt(current)
})

/** Listens when this returns. When the scope ends nobody is let in any more; who was let in is the taker's to close. */
export const listen = Effect.fnUntraced(function* (
  options: PeerOptions
): Effect.fn.Return<{ readonly port: number }, ListenFailed, Certificates | Scope.Scope> {
  const certificates = yield* Certificates
  const limits = { ...defaultLimits, ...options.limits }
  const tell = yield* PeerRefusals.make
  const refuse: Refuse = (peer, reason) => tell({ peer, reason })

  const bundle = certificates.current()
  const server = bundle === undefined ? plain(options, limits) : yield* secure(options, limits, bundle, refuse)
  server.maxConnections = limits.connections
  server.on("drop", (peer) =>
    refuse(`${peer?.remoteAddress ?? "?"}:${peer?.remotePort ?? "?"}`, `${limits.connections} connections are open`)
  )
  yield* Effect.addFinalizer(() => Effect.sync(() => void server.close()))
  const port = yield* bind(server, options)
  // The system has no room for another connection; there may be room again later.
  server.on("error", ({ message }) => refuse("somebody", `it could not be taken (${message})`))
  if (bundle !== undefined) yield* renewing(server as TlsServer, bundle)
  return { port }
})
