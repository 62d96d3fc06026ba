/** Who is certified between Gateway and Agent, and under which names. */
import type { X509Certificate } from "node:crypto"
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

const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i

/** Whether a certificate can have this name: that of a host, `*.` and one, or an address, of which no zone is a part. */
export const isServerName = (name: string): boolean =>
  (isIP(name) !== 0 && !name.includes("%")) ||
  (name.length <= 253 &&
    name
      .replace(/^\*\./, "")
      .split(".")
      .every((part) => label.test(part)))

/** Every name of a certificate, without its kind: `localhost`, `::1`, `esb:gateway`. */
export const namesIn = ({ subjectAltName = "" }: X509Certificate): ReadonlyArray<string> =>
  subjectAltName
    .split(", ")
    .filter((told) => told !== "")
    .map((told) => canonical(told.replace(/^(DNS|IP Address|URI):/, "")))

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
