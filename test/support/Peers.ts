/** Certificates good and bad, a port of an Agent, and strangers who knock at it. */
// oxlint-disable-next-line import/no-unassigned-import -- it adds to Reflect what @peculiar/x509 looks for there
import "reflect-metadata"
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator
} from "@peculiar/x509"
import { Effect, Layer, Logger, Redacted, Stream } from "effect"
import { KeyObject, webcrypto } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { connect, type ConnectionOptions, createServer as createTlsServer } from "node:tls"
import * as PeerListener from "#layers/grpc/peer/PeerListener"
import * as CertificateAuthority from "#layers/x509/CertificateAuthority"
import * as Leaves from "#layers/x509/Leaves"
import { type CertificateBundle, Certificates } from "#services/Certificates"

const hourMs = 3_600_000

const between = (fromHours: number, toHours: number): CertificateAuthority.Period => ({
  from: new Date(Date.now() + fromHours * hourMs),
  to: new Date(Date.now() + toHours * hourMs)
})

const now = between(-1, 1)
export const past = between(-2, -1)
export const future = between(1, 2)

export const authority = CertificateAuthority.make("Authority of a test", now)

export const issue = (
  by: CertificateAuthority.Issued,
  leaf: CertificateAuthority.Leaf,
  period = now
): Effect.Effect<CertificateBundle> =>
  CertificateAuthority.issue(by, leaf, period).pipe(
    Effect.map((issued) => ({ ...issued, authority: by.certificate })),
    Effect.orDie
  )

export const agent = Leaves.server([])
export const gateway = Leaves.gateway

/** A bundle that never changes, or none. */
export const fixed = (bundle: CertificateBundle | undefined): Layer.Layer<Certificates> =>
  Layer.succeed(Certificates, Certificates.of({ current: () => bundle, changes: Stream.empty }))

/** Lines of the log, with their levels. */
export const recordedLog = () => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => lines.push(`${logLevel} ${String(message)}`))
  return { lines, layer: Logger.layer([logger]) }
}

export interface Port {
  readonly port: number
  /** Connections that were handed over. */
  readonly accepted: () => number
  /** Requests that were read. */
  readonly asked: () => number
}

/** A port of an Agent that answers every request with `here`, until the scope ends. */
export const listen = Effect.fnUntraced(function* (
  certificates: Layer.Layer<Certificates>,
  options: Partial<PeerListener.PeerOptions> = {}
) {
  let [accepted, asked] = [0, 0]
  const http = yield* Effect.acquireRelease(
    Effect.sync(() =>
      createServer((_request, response) => {
        asked += 1
        response.end("here")
      })
    ),
    (server) => Effect.sync(() => server.closeAllConnections())
  )
  // Connections are counted, and closed, only by a server that listens; this one takes those of another.
  http.emit("listening")
  const { port } = yield* PeerListener.listen({
    host: "127.0.0.1",
    port: 0,
    protocol: "http/1.1",
    accept: (socket) => {
      accepted += 1
      http.emit("connection", socket)
    },
    ...options
  }).pipe(Effect.provide(certificates))
  return { port, accepted: () => accepted, asked: () => asked } satisfies Port
})

export interface Outcome {
  /** What came back; empty when the connection was cut off. */
  readonly text: string
  readonly protocol: string | null
}

const request = "GET / HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n\r\n"

export const credentials = ({ certificate, key }: CertificateAuthority.Issued) =>
  ({ cert: certificate, key: Redacted.value(key) }) satisfies ConnectionOptions

/** Somebody by his own word. */
export const selfSigned = (leaf: CertificateAuthority.Leaf): Effect.Effect<CertificateAuthority.Issued> =>
  Effect.promise(async () => {
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
    const certificate = await X509CertificateGenerator.createSelfSigned({
      keys,
      name: [{ CN: [leaf.commonName] }],
      notBefore: now.from,
      notAfter: now.to,
      signingAlgorithm: algorithm,
      extensions: [
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension(leaf.names)
      ]
    })
    const key = KeyObject.from(keys.privateKey).export({ format: "pem", type: "pkcs8" })
    return { certificate: certificate.toString("pem"), key: Redacted.make(String(key)) }
  })

/** Connects, sends a request as early as TLS lets it, and waits for the end. Believes every server. */
export const knock = (port: number, options: ConnectionOptions): Effect.Effect<Outcome> =>
  Effect.callback((resume) => {
    let text = ""
    let protocol: string | null = null
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options }, () => {
      protocol = socket.getProtocol()
    })
    socket.setEncoding("latin1").on("data", (part: string) => (text += part))
    // A refusal may come as an alert, as a reset, or as the plain end.
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.succeed({ text, protocol })))
    socket.write(request)
    return Effect.sync(() => socket.destroy())
  })

export interface Impostor {
  readonly port: number
  /** Bytes that clients have sent over TLS. */
  readonly received: () => number
}

/** A server with some certificate, which asks for none and answers everything with `here`. */
export const impostor = Effect.fnUntraced(function* (certified: CertificateAuthority.Issued, protocol: string) {
  let received = 0
  const server = createTlsServer({ ...credentials(certified), ALPNProtocols: [protocol] }, (socket) => {
    socket.on("error", () => undefined)
    socket.on("data", (bytes) => {
      received += bytes.length
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nhere")
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => server.close())
  )
  return { port: (server.address() as AddressInfo).port, received: () => received } satisfies Impostor
})
