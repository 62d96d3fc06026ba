/** What can be told of a line that a function wrote: how severe it is. */
import type { LogRecord } from "./LogRecord.ts"

type Level = LogRecord["level"]

/** The words of the usual loggers. A function's own JSON may also say `CRITICAL`; a word in plain text never means that. */
const plain: Readonly<Record<string, Level>> = {
  TRACE: "DEBUG",
  DEBUG: "DEBUG",
  INFO: "INFO",
  NOTICE: "INFO",
  WARN: "WARNING",
  WARNING: "WARNING",
  ERROR: "ERROR",
  CRIT: "ERROR",
  CRITICAL: "ERROR",
  FATAL: "ERROR"
}
const structured: Readonly<Record<string, Level>> = { ...plain, CRITICAL: "CRITICAL", FATAL: "CRITICAL" }

/** Loggers put the level near the start; further on the word is more likely prose. */
const searchedCharacters = 128
const levelWord = /\b(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRIT(?:ICAL)?|FATAL)\b/

const ownLevel = (line: string): Level | undefined => {
  try {
    const parsed: unknown = JSON.parse(line)
    if (typeof parsed !== "object" || parsed === null || !("level" in parsed)) return undefined
    return typeof parsed.level === "string" ? structured[parsed.level.toUpperCase()] : undefined
  } catch {
    // Not JSON after all: a line of text that happens to begin with a brace.
    return undefined
  }
}

/** The level a line of JSON names itself, else the first upper case level word near its start, else `INFO`. */
export const levelOf = (line: string): Level => {
  if (line.startsWith("{")) {
    const own = ownLevel(line)
    if (own !== undefined) return own
  }
  const word = levelWord.exec(line.length > searchedCharacters ? line.slice(0, searchedCharacters) : line)
  return word === null ? "INFO" : (plain[word[0]] ?? "INFO")
}
