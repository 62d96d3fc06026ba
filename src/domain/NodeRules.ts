/**
 * Rules of the packet filter of a machine that runs workers: the way out of their bridge, behind the machine's address. Of the
 * networks that the machine is in itself workers reach what is named, and nothing else.
 */
import type { Endpoint } from "./WorkerFence.ts"
import { format, type Subnet } from "./Subnet.ts"

export interface NodeNetwork {
  readonly bridge: string
  /** Of the workers. */
  readonly subnet: Subnet
  /** Networks that the machine is in beside them. */
  readonly beside: ReadonlyArray<Subnet>
  /** Servers in those that workers may use. */
  readonly reach: ReadonlyArray<Endpoint>
  /** Where workers ask for names; four numbers. */
  readonly nameserver: string | undefined
}

export interface NodeRule {
  readonly table: "nat" | "filter" | "mangle"
  readonly chain: "POSTROUTING" | "FORWARD"
  /** As `iptables` takes it behind the name of the chain. */
  readonly words: ReadonlyArray<string>
}

const words = (text: string): ReadonlyArray<string> => text.split(" ")

/** Before the filter, where the fence around workers lets go out what is not meant for the machine. */
const guard = (text: string): NodeRule => ({ table: "mangle", chain: "FORWARD", words: words(text) })

const nameServices = (bridge: string, nameserver: string | undefined): ReadonlyArray<NodeRule> =>
  nameserver === undefined
    ? []
    : ["udp", "tcp"].map((protocol) => guard(`-i ${bridge} -d ${nameserver} -p ${protocol} --dport 53 -j ACCEPT`))

/** In this order. */
export const rules = ({ beside, bridge, nameserver, reach, subnet }: NodeNetwork): ReadonlyArray<NodeRule> => {
  const workers = format(subnet)
  return [
    { table: "nat", chain: "POSTROUTING", words: words(`-s ${workers} ! -d ${workers} -j MASQUERADE`) },
    { table: "filter", chain: "FORWARD", words: words(`-i ${bridge} -j ACCEPT`) },
    { table: "filter", chain: "FORWARD", words: words(`-o ${bridge} -j ACCEPT`) },
    guard(`-i ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`),
    ...reach.map(({ address, port }) => guard(`-i ${bridge} -d ${address} -p tcp --dport ${port} -j ACCEPT`)),
    ...nameServices(bridge, nameserver),
    ...beside.map((each) => guard(`-i ${bridge} -d ${format(each)} -j DROP`))
  ]
}
