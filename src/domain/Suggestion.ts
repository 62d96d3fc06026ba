/** The word somebody may have meant. */

/** Slips of the hand that are forgiven: a letter too many, too few, another one, or two that changed places. */
const maximumSlips = 2

/** `; did you mean "Handler"?`, or nothing when no candidate is close. */
export const of = (word: string, candidates: Iterable<string>): string => {
  const found = closest(word, candidates)
  return found === undefined ? "" : `; did you mean "${found}"?`
}

export const closest = (word: string, candidates: Iterable<string>): string | undefined => {
  let best: { readonly candidate: string; readonly slips: number } | undefined
  for (const candidate of candidates) {
    const slips = distance(word.toLowerCase(), candidate.toLowerCase())
    if (slips <= Math.min(maximumSlips, word.length / 3) && (best === undefined || slips < best.slips)) {
      best = { candidate, slips }
    }
  }
  return best?.candidate
}

/** Optimal string alignment distance, row by row. */
const distance = (a: string, b: string): number => {
  if (Math.abs(a.length - b.length) > maximumSlips) {
    return Number.POSITIVE_INFINITY
  }
  let beforeLast: ReadonlyArray<number> = []
  let last: ReadonlyArray<number> = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const steps = [(last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1)]
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        steps.push((beforeLast[j - 2] ?? 0) + 1)
      }
      row.push(Math.min(...steps))
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
