/** Who is certified between Gateway and Agent, and under which names. */
import { X509Certificate } from "node:crypto"
import type { JsonGeneralNames } from "@peculiar/x509"
import { isIP } from "node:net"
import { gatewayUri } from "#domain/PeerIdentity"
import type { Leaf } from "./CertificateAuthority.ts"

/** Names and addresses under which stacks of every mode reach their servers. */
const serverNames = [
  "localhost",
  "registry",
  "gateway",
  "agent",
  "runtime-node",
  "host.docker.internal",
  "127.0.0.1",
  "::1",
  // Ends of the tunnel to a runtime node, and of the bridge that workers of containerd are on.
  "10.99.0.1",
  "10.88.0.1"
]

/** One way to write each address: `::1` and `0:0:0:0:0:0:0:1` are the same. */
const canonical = (name: string): string =>
  isIP(name) === 6 ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name.toLowerCase()

const generalNames = (names: ReadonlyArray<string>): JsonGeneralNames =>
  [...new Set(names.map(canonical))].map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value }))

/** Host names and addresses: what else is asked for cannot be a server's name. */
export const isServerName = (name: string): boolean =>
  isIP(name) !== 0 || (name.length <= 253 && /^(\*\.)?[a-z0-9_]([a-z0-9_-]{0,62}\.?)*$/i.test(name))

/** Host names and addresses that a certificate has. Throws when it is none. */
export const namesIn = (certificate: string): ReadonlyArray<string> =>
  (new X509Certificate(certificate).subjectAltName ?? "").split(", ").flatMap((told) => {
    const [, name] = /^(?:DNS|IP Address):(.+)$/.exec(told) ?? []
    return name === undefined ? [] : [canonical(name)]
  })

/** An Agent, or a Gateway that speaks HTTPS. */
export const server = (others: ReadonlyArray<string>): Leaf => ({
  commonName: "localhost",
  names: generalNames([...serverNames, ...others]),
  usages: ["server"]
})

/** A Gateway, to its Agents. */
export const gateway: Leaf = {
  commonName: "gateway",
  names: [
    { type: "dns", value: "gateway" },
    { type: "url", value: gatewayUri }
  ],
  usages: ["client"]
}
