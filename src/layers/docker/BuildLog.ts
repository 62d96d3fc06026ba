/** What a build said: where it is, and the last lines of the step that it is at. */
import { stripVTControlCharacters } from "node:util"
import type { Progress } from "#services/ImageBuilder"

/** How much of what a step says is kept for the reader of its failure. */
const keptLines = 20
const keptLineCharacters = 500

export interface BuildLog {
  readonly take: (output: string) => void
  /** A complaint of the engine, with the step it is about. */
  readonly explain: (complaint: string) => string
}

const stepPattern = /^Step \d+\/\d+ : (.*)$/

/** Lines about the build itself: ids of its layers and containers. */
const isOfTheEngine = (line: string): boolean => line.startsWith(" ---> ") || line.startsWith("Removing intermediate")

export const make = (progress: Progress): BuildLog => {
  let step: string | undefined
  let said: ReadonlyArray<string> = []
  const takeLine = (line: string) => {
    const [, instruction] = stepPattern.exec(line) ?? []
    if (instruction !== undefined) {
      step = instruction
      said = []
      progress(instruction)
    } else if (line.trim() !== "" && !isOfTheEngine(line)) {
      said = [...said, line.slice(0, keptLineCharacters)].slice(-keptLines)
    }
  }
  return {
    // The engine colours what a step writes to stderr.
    take: (output) => stripVTControlCharacters(output).split(/\r?\n/).forEach(takeLine),
    explain: (complaint) =>
      step === undefined ? complaint : [`${step}: ${complaint}`, ...said.map((line) => `  ${line}`)].join("\n")
  }
}
