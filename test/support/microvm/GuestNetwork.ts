/** The network of a container, handed on to the guest in it: the guest gets its address, and a cable to the bridge it hangs on. */
import { execFileSync } from "node:child_process"
import type { Address } from "./Guest.ts"

export const tap = "guest0"

const inside = (namespace: string, command: string, input = ""): string =>
  execFileSync("nsenter", [`--net=${namespace}`, ...command.split(" ")], { encoding: "utf8", input })

interface Link {
  readonly address: string
  readonly addr_info: ReadonlyArray<{ readonly family: string; readonly local: string; readonly prefixlen: number }>
}

/** The namespace's own end goes by another hardware address from now on: its neighbours know the guest by the old one. */
export const handOver = (namespace: string): Address => {
  const [link] = JSON.parse(inside(namespace, "ip -j addr show eth0")) as ReadonlyArray<Link>
  const [route] = JSON.parse(inside(namespace, "ip -j route show default")) as ReadonlyArray<{
    readonly gateway: string
  }>
  const at = link?.addr_info.find(({ family }) => family === "inet")
  if (link === undefined || at === undefined || route === undefined) throw new Error(`no network in ${namespace}`)
  const steps = [
    "link set eth0 down",
    "addr flush dev eth0",
    `link set eth0 address 02:00${link.address.slice(5)}`,
    "link add bridge0 type bridge forward_delay 0",
    "link set eth0 master bridge0",
    `tuntap add dev ${tap} mode tap`,
    `link set ${tap} master bridge0`,
    ...["eth0", tap, "bridge0"].map((name) => `link set ${name} up`)
  ]
  inside(namespace, "ip -batch -", steps.join("\n"))
  return { ip: `${at.local}/${at.prefixlen}`, gateway: route.gateway, mac: link.address }
}
