/**
 * How a Gateway connects to an Agent: it shows its own certificate, and believes nobody but a server that our authority has
 * certified for the host that was dialled. What the environment or the command line of Node says of TLS does not count here.
 */
import { ChannelCredentials, experimental } from "@grpc/grpc-js"
import { isIP } from "node:net"
import { checkServerIdentity, connect, type ConnectionOptions, type PeerCertificate } from "node:tls"
import { buildConnector } from "undici"
import type { CertificateBundle } from "#services/Certificates"
import { contextOf } from "./PeerContext.ts"

/** For `node:tls`. The host is a name or an address. */
export const connectionTo = (host: string, bundle: CertificateBundle) =>
  ({
    secureContext: contextOf(bundle),
    host,
    // An address has no place in a server name, and Node warns of it.
    servername: isIP(host) === 0 ? host : "",
    checkServerIdentity: (_: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate),
    // NODE_TLS_REJECT_UNAUTHORIZED would count otherwise.
    rejectUnauthorized: true
  }) satisfies ConnectionOptions

type ConnectorArguments = Parameters<ChannelCredentials["_createSecureConnector"]>

/** What grpc-js has of its own takes ciphers from the environment, and puts addresses into server names. */
class PeerChannelCredentials extends ChannelCredentials {
  readonly bundle: CertificateBundle

  constructor(bundle: CertificateBundle) {
    super()
    this.bundle = bundle
  }

  override _isSecure(): boolean {
    return true
  }

  override _equals(other: ChannelCredentials): boolean {
    return other instanceof PeerChannelCredentials && other.bundle === this.bundle
  }

  override _createSecureConnector(...given: ConnectorArguments): experimental.SecureConnector {
    const { path } = given[0]
    const host = experimental.splitHostPort(path)?.host ?? path
    const options = { ...connectionTo(host, this.bundle), ALPNProtocols: ["h2"] }
    return {
      ...ChannelCredentials.createInsecure()._createSecureConnector(...given),
      connect: (socket) =>
        new Promise((resolve, reject) => {
          const onClose = (): void => reject(new Error("the connection was closed during its handshake"))
          const secured = connect({ ...options, socket }, () => {
            secured.off("error", reject).off("close", onClose)
            resolve({ socket: secured, secure: true })
          })
          secured.once("error", reject).once("close", onClose)
        })
    }
  }
}

/** For one channel of grpc-js; with a new bundle comes a new channel. */
export const channelCredentials = (bundle: CertificateBundle | undefined): ChannelCredentials =>
  bundle === undefined ? ChannelCredentials.createInsecure() : new PeerChannelCredentials(bundle)

/** Scheme of the URLs of Agents. */
export const schemeOf = (bundle: CertificateBundle | undefined): "http" | "https" =>
  bundle === undefined ? "http" : "https"

/**
 * For the clients of undici: every new connection is made with the bundle of its time. Whatever scheme the client's origin
 * has, nothing is sent in the clear while there is a bundle.
 */
export const connector =
  (current: () => CertificateBundle | undefined, connectLimitMs: number): buildConnector.connector =>
  (options, callback) => {
    const bundle = current()
    const limits = { timeout: connectLimitMs, allowH2: false, maxCachedSessions: 0 }
    const made =
      bundle === undefined
        ? buildConnector(limits)
        : buildConnector({ ...limits, ...connectionTo(options.hostname, bundle) })
    // A request's own Host header would come in as the server's name: the host that was dialled must prove itself.
    const { servername: _, ...dialled } = options
    made({ ...dialled, protocol: `${schemeOf(bundle)}:` }, callback)
  }
