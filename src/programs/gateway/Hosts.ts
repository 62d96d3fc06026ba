/** Which host names this Gateway answers for, and whose word it takes for a caller's address. */
import type { IncomingMessage } from "node:http"
import { BlockList, isIP, isIPv6 } from "node:net"

export interface Hosts {
  /** Guards a Gateway on a loopback address against pages that resolve their own name to it (DNS rebinding). */
  readonly allows: (host: string | undefined) => boolean
  /** The peer, or what a trusted proxy says of the peer. */
  readonly clientAddress: (source: IncomingMessage) => string
}

const loopbackNames: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"])

const withoutPort = (host: string): string => host.replace(/:\d+$/, "").toLowerCase()

/** A trailing `.localhost` name always is this machine (RFC 6761). */
const isLoopback = (name: string): boolean =>
  loopbackNames.has(name) || name.endsWith(".localhost") || /^127\.\d+\.\d+\.\d+$/.test(name)

const family = (address: string) => (isIPv6(address) ? "ipv6" : "ipv4")

const plain = (address: string): string => (address.startsWith("::ffff:") ? address.slice(7) : address)

/** Addresses (`10.0.0.1`) and networks (`10.0.0.0/8`); anything else matches nothing. */
const networks = (written: ReadonlyArray<string>): BlockList => {
  const list = new BlockList()
  for (const entry of written) {
    const [address = "", prefix] = entry.split("/")
    if (isIP(address) === 0) {
      continue
    }
    if (prefix === undefined) {
      list.addAddress(address, family(address))
    } else {
      list.addSubnet(address, Number(prefix), family(address))
    }
  }
  return list
}

export const make = (options: {
  readonly listensOn: string
  readonly allowedHosts: ReadonlyArray<string>
  readonly trustedProxies: ReadonlyArray<string>
}): Hosts => {
  const allowed = new Set(options.allowedHosts.map((host) => host.toLowerCase()))
  const guarded = isLoopback(withoutPort(options.listensOn)) || options.listensOn === "::1"
  const trusted = networks(options.trustedProxies)
  const isTrusted = (address: string) => isIP(address) !== 0 && trusted.check(address, family(address))
  return {
    allows: (host) => {
      if (!guarded) {
        return true
      }
      const name = withoutPort(host ?? "")
      return isLoopback(name) || allowed.has(name)
    },
    clientAddress: (source) => {
      const peer = plain(source.socket.remoteAddress ?? "")
      const forwarded = source.headers["x-forwarded-for"]
      if (forwarded === undefined || !isTrusted(peer)) {
        return peer
      }
      const chain = String(forwarded)
        .split(",")
        .map((address) => plain(address.trim()))
      return chain.findLast((address) => !isTrusted(address)) ?? chain[0] ?? peer
    }
  }
}
