/** What was done, for people and for programs. */
import type { Outcome, Result } from "./Provision.ts"

/** Columns as wide as their widest cell. */
const inColumns = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

const inAnyCase: Partial<Record<Result, string>> = { failed: "failed", skipped: "skipped", planned: "planned" }

/** A result as it is told: a dry run has done nothing. */
const inWords = (result: Result, dryRun: boolean): string => {
  if (!dryRun || inAnyCase[result] !== undefined || result === "unchanged") return result
  return result === "created" ? "would be created" : "would be updated"
}

const count = (outcomes: ReadonlyArray<Outcome>, result: Result): number =>
  outcomes.filter((outcome) => outcome.result === result).length

const closingLine = (outcomes: ReadonlyArray<Outcome>, dryRun: boolean): string => {
  if (outcomes.every(({ result }) => result === "unchanged")) {
    return `Nothing was changed: there is everything that is asked for (${outcomes.length}).`
  }
  const results = ["created", "updated", "unchanged", "planned", "failed", "skipped"] as const
  const told = results.flatMap((result) => {
    const number = count(outcomes, result)
    return number === 0 ? [] : [`${number} ${inWords(result, dryRun)}`]
  })
  return `${told.join(", ")}.${dryRun ? " Nothing was made: this was a dry run." : ""}`
}

export const text = (outcomes: ReadonlyArray<Outcome>, dryRun: boolean): string =>
  [
    inColumns([
      ["KIND", "NAME", "RESULT", "DETAIL"],
      ...outcomes.map(({ detail, kind, name, result }) => [kind, name, inWords(result, dryRun), detail])
    ]),
    closingLine(outcomes, dryRun)
  ].join("\n")

/** One object: `resources` with `kind`, `name`, `result` and `detail` each, in the order of the file. */
export const json = (outcomes: ReadonlyArray<Outcome>, dryRun: boolean): string =>
  JSON.stringify({ dryRun, resources: outcomes })
