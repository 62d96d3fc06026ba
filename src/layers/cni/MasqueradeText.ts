/** What plugins leave in the table of address translation, in the language of `iptables-save`, each rule with its network's id. */

/** In a comment of the rule: `name: "esb-net" id: "…"`, with the quotes escaped. */
const idIn = (rule: string): string | undefined => /id: \\?"([^"\\]+)\\?"/.exec(rule)?.[1]

const jumpIn = (rule: string): string | undefined => /^-A POSTROUTING .* -j (CNI-\w+)$/.exec(rule)?.[1]

/** Whose rules there are. */
export const ids = (saved: string): ReadonlyArray<string> => [
  ...new Set(saved.split("\n").flatMap((rule) => (jumpIn(rule) === undefined ? [] : (idIn(rule) ?? []))))
]

/** For `iptables-restore`: all rules of some, with the chains they lead to; `undefined`: there are none. */
export const removal = (saved: string, isGone: (id: string) => boolean): string | undefined => {
  const rules = saved.split("\n").filter((rule) => jumpIn(rule) !== undefined && isGone(idIn(rule) ?? ""))
  const chains = [...new Set(rules.flatMap((rule) => jumpIn(rule) ?? []))]
  if (rules.length === 0) return undefined
  return [
    "*nat",
    ...rules.map((rule) => rule.replace(/^-A /, "-D ")),
    ...chains.map((chain) => `-F ${chain}`),
    ...chains.map((chain) => `-X ${chain}`),
    "COMMIT",
    ""
  ].join("\n")
}
