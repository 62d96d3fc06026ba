/**
 * What a registry says when it wants to know who asks: `Bearer realm="https://…",service="…",scope="…"`, or `Basic realm="…"`.
 * @see https://distribution.github.io/distribution/spec/auth/token/
 */

export interface BearerChallenge {
  readonly scheme: "bearer"
  /** Where tokens are to be had. */
  readonly realm: string
  readonly service: string | undefined
  /** Several are separated by blanks. */
  readonly scope: string | undefined
}

export type Challenge = BearerChallenge | { readonly scheme: "basic" }

const parameters = (text: string): ReadonlyMap<string, string> =>
  new Map(
    [...text.matchAll(/([a-zA-Z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)].map(
      ([, name = "", quoted, bare]) => [name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? bare ?? ""]
    )
  )

/** Where one challenge of a header ends and the next begins: a word that is followed by a parameter, or by nothing. */
const schemeStart = /(?:^|,)\s*(basic|bearer)(?=\s|$)/gi

/** Of several, the one that sends no password to the registry itself. `undefined` where we know none. */
export const parse = (header: string): Challenge | undefined => {
  const starts = [...header.matchAll(schemeStart)]
  const challenges = starts.flatMap((start, index): ReadonlyArray<Challenge> => {
    const end = starts[index + 1]?.index ?? header.length
    if (start[1]?.toLowerCase() === "basic") return [{ scheme: "basic" }]
    const told = parameters(header.slice(start.index + start[0].length, end))
    const realm = told.get("realm")
    if (realm === undefined) return []
    return [{ scheme: "bearer", realm, service: told.get("service"), scope: told.get("scope") }]
  })
  return challenges.find(({ scheme }) => scheme === "bearer") ?? challenges[0]
}
