/** A fence in the language of `iptables-restore`, and what `iptables -S` tells of one that is there. */
import type { StackIdentity } from "#domain/StackIdentity"
import { chains, type Endpoint, type Rule, rules, type WorkerFence } from "#domain/WorkerFence"

/** The chain in which packets arrive that end on the machine. */
const ending = "INPUT"

const verdicts: Readonly<Record<Rule["verdict"], string>> = { accept: "ACCEPT", reject: "REJECT", return: "RETURN" }

const sentTo = ({ address, port }: Endpoint): ReadonlyArray<string> =>
  `-p tcp -m conntrack --ctorigdst ${address} --ctorigdstport ${port}`.split(" ")

const words = (rule: Rule): ReadonlyArray<string> => [
  ...(rule.from === undefined ? [] : ["-s", rule.from]),
  ...(rule.to === undefined ? [] : ["-d", rule.to]),
  ...(rule.leavesBy === undefined ? [] : ["-o", rule.leavesBy]),
  ...(rule.leavesNotBy === undefined ? [] : ["!", "-o", rule.leavesNotBy]),
  ...(rule.isAnswer === true ? ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"] : []),
  ...(rule.isRedirected === true ? ["-m", "conntrack", "--ctstate", "DNAT"] : []),
  ...(rule.sentTo === undefined ? [] : sentTo(rule.sentTo)),
  ...(rule.protocol === undefined ? [] : ["-p", rule.protocol]),
  ...(rule.ports === undefined ? [] : ["--dport", `${rule.ports.first}:${rule.ports.last}`]),
  "-j",
  verdicts[rule.verdict]
]

/** One step for the kernel: all of it, or nothing. */
const transaction = (lines: ReadonlyArray<string>): string => ["*filter", ...lines, "COMMIT", ""].join("\n")

/** Rules of other chains that lead into one of the fence's. */
const jumps = (listing: string, stack: StackIdentity): ReadonlyArray<string> => {
  const own: ReadonlyArray<string | undefined> = Object.values(chains(stack))
  return listing.split("\n").filter((line) => {
    const [, target] = /^-A .* -j (\S+)$/.exec(line) ?? []
    return own.includes(target)
  })
}

const deleted = (rule: string): string => rule.replace(/^-A /, "-D ")

/** Whether the machine has a chain, its own ones included. */
export const hasChain = (listing: string, chain: string): boolean =>
  listing.split("\n").some((line) => line === `-N ${chain}` || line.startsWith(`-P ${chain} `))

/** Its chains are emptied and filled, and what leads to them comes first, wherever it was. */
export const raised = (listing: string, fence: WorkerFence): string => {
  const own = chains(fence.stack)
  const { bridge, entry } = fence
  const { ending: hosts, passing, returning } = rules(fence)
  const into = (chain: string, all: ReadonlyArray<Rule>) => all.map((rule) => ["-A", chain, ...words(rule)].join(" "))
  const isBackNeeded = returning.length > 0
  const isBackLeft = !isBackNeeded && hasChain(listing, own.returning)
  return transaction([
    `:${own.passing} - [0:0]`,
    `:${own.ending} - [0:0]`,
    ...(isBackNeeded || isBackLeft ? [`:${own.returning} - [0:0]`] : []),
    ...into(own.passing, passing),
    ...into(own.ending, hosts),
    ...into(own.returning, returning),
    ...jumps(listing, fence.stack).map(deleted),
    ...(isBackLeft ? [`-X ${own.returning}`] : []),
    ...(isBackNeeded ? [`-I ${entry} 1 -o ${bridge} -j ${own.returning}`] : []),
    `-I ${entry} 1 -i ${bridge} -j ${own.passing}`,
    `-I ${ending} 1 -i ${bridge} -j ${own.ending}`
  ])
}

/** `undefined`: there is nothing of it. */
export const lowered = (listing: string, stack: StackIdentity): string | undefined => {
  const present = Object.values(chains(stack)).filter((chain) => hasChain(listing, chain))
  if (present.length === 0) return undefined
  return transaction([
    ...jumps(listing, stack).map(deleted),
    ...present.map((chain) => `-F ${chain}`),
    ...present.map((chain) => `-X ${chain}`)
  ])
}
