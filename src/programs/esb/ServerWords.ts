/** What a server of ours writes, as the terminal of `esb up` sees it. */
import { Option, Schema } from "effect"
import type { UpSettings } from "./Settings.ts"
import type { Voice } from "./Voice.ts"
import * as Warnings from "./Warnings.ts"

const Line = Schema.fromJsonString(
  Schema.Struct({ level: Schema.String, message: Schema.String, exception: Schema.optionalKey(Schema.String) })
)
const decodeLine = Schema.decodeOption(Line)

const worthTelling = new Set(["WARNING", "ERROR", "CRITICAL"])

/**
 * Everything stands in the server's own log; the terminal sees what a reader should look at. A line that is none of the log's
 * is a crash telling itself. Answers what may explain why the server ended.
 */
export const hear =
  ({ verbose }: UpSettings, voice: Voice) =>
  (line: string): string | undefined => {
    const told = decodeLine(line)
    if (Option.isNone(told)) {
      if (verbose) voice.note(line)
      return line
    }
    const { level, message } = told.value
    const isWorthTelling = worthTelling.has(level)
    if (verbose) voice.note(`${level} ${message}`)
    else if (isWorthTelling && !Warnings.wasTold(message)) voice.warn(message)
    return isWorthTelling ? message : undefined
  }
