/** Whether the other end of a TLS connection is a Gateway, and in which words it is told that it is not. */
import type { TLSSocket } from "node:tls"
import { isGateway } from "#domain/PeerIdentity"

/** Extended key usage of certificates with which clients prove themselves. */
const clientAuthentication = "1.3.6.1.5.5.7.3.2"

/** What is wrong with a certificate, in the words of OpenSSL's codes. */
const distrust: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself",
  INVALID_PURPOSE: "its certificate is not one for clients",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is from another authority",
  UNABLE_TO_GET_ISSUER_CERT: "its certificate is from another authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is from another authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is from another authority"
}

/** Why the peer is no Gateway of ours; `undefined`: it is one. */
export const objectionTo = (socket: TLSSocket): string | undefined => {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return "it has shown no certificate"
  if (!socket.authorized) {
    const code = String(socket.authorizationError)
    return distrust[code] ?? `its certificate cannot be believed (${code})`
  }
  // To OpenSSL, a certificate that says nothing of its use may be used for everything.
  if (certificate.keyUsage?.includes(clientAuthentication) !== true) return "its certificate is not one for clients"
  return isGateway(certificate.subjectAltName) ? undefined : "its certificate is not one of a Gateway"
}

/** What went wrong in a handshake, by Node's codes. */
const breaches: Readonly<Record<string, string>> = {
  ERR_SSL_HTTP_REQUEST: "it speaks HTTP without TLS",
  ERR_SSL_NO_APPLICATION_PROTOCOL: "it speaks another protocol over TLS",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "it does not believe the certificate that it was shown",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "it speaks a version of TLS before 1.2",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS",
  ERR_TLS_HANDSHAKE_TIMEOUT: "its TLS handshake took too long"
}

export const breachIn = (error: NodeJS.ErrnoException & { readonly reason?: string }): string =>
  breaches[error.code ?? ""] ?? `its TLS handshake failed (${error.reason ?? error.code ?? error.message})`
