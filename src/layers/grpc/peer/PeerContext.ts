/** What both sides of a connection between Gateway and Agent prove themselves with, as node:tls wants it. */
import { Redacted } from "effect"
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls"
import type { CertificateBundle } from "#services/Certificates"

export const optionsOf = ({ authority, certificate, key }: CertificateBundle) =>
  ({
    // With this, Node forgets the authorities that the machine trusts.
    ca: authority,
    cert: certificate,
    key: Redacted.value(key),
    minVersion: "TLSv1.2"
  }) satisfies SecureContextOptions

/** Making one parses certificates and key: once for each bundle is enough. */
const contexts = new WeakMap<CertificateBundle, SecureContext>()

export const contextOf = (bundle: CertificateBundle): SecureContext => {
  const context = contexts.get(bundle) ?? createSecureContext(optionsOf(bundle))
  contexts.set(bundle, context)
  return context
}
