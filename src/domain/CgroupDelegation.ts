/**
 * Control groups of the second version, as containers of a container need them: a group with processes in it hands nothing on to
 * groups below, so those that are there go into a leaf.
 *
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html
 */

export interface DelegationPlan {
  /** Directory of the whole tree. */
  readonly root: string
  /** Of workers and the leaf, in the root: `esb`. */
  readonly parent: string
  /** Of this process and all others that are there: `runtime-node`. */
  readonly leaf: string
  /** What is handed on: `cpu`, `memory`. */
  readonly controllers: ReadonlyArray<string>
}

/** How a process sees its groups, from `/proc/self/cgroup`. */
export type Place =
  /** One tree, whose root is this container. */
  | "own root"
  /** One tree that is the machine's: what is made in it would stay. */
  | "the machine's"
  /** Trees of the first version, which ask for nothing. */
  | "first version"

export const placeIn = (groups: string): Place => {
  const lines = groups.trim().split("\n")
  const [only = ""] = lines
  if (lines.length !== 1 || !only.startsWith("0::")) return "first version"
  return only === "0::/" ? "own root" : "the machine's"
}

/** `cpu io memory`, however it is written. */
export const controllersIn = (text: string): ReadonlyArray<string> => text.split(/[\s,]+/).filter(Boolean)

export const pidsIn = (text: string): ReadonlyArray<string> => text.split("\n").filter(Boolean)

export const paths = ({ leaf, parent, root }: DelegationPlan) => ({
  type: `${root}/${parent}/cgroup.type`,
  leaf: `${root}/${parent}/${leaf}`,
  leafMembers: `${root}/${parent}/${leaf}/cgroup.procs`,
  rootMembers: `${root}/cgroup.procs`,
  available: `${root}/cgroup.controllers`,
  /** Written in this order: a group hands on what was handed to it. */
  handedOn: [`${root}/cgroup.subtree_control`, `${root}/${parent}/cgroup.subtree_control`]
})

/** What is written to hand controllers on: `+cpu +memory`. */
export const handOver = (controllers: ReadonlyArray<string>): string => controllers.map((each) => `+${each}`).join(" ")

/** Those that the machine has not got. */
export const missing = ({ controllers }: DelegationPlan, available: string): ReadonlyArray<string> => {
  const there = controllersIn(available)
  return controllers.filter((each) => !there.includes(each))
}
