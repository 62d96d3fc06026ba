/** What programs are told of their own lines, on stderr, who have the variable of their form in common. */
import * as Setting from "./Setting.ts"

/** @param level variables that name the least level, the first one set counts */
export const settings = (level: Setting.Names) => ({
  logLevel: Setting.OneOf(["debug", "info", "warn", "warning", "error"])(
    level,
    "Least important line that is written",
    "info"
  ),
  logFormat: Setting.OneOf(["text", "json"])("AGENT_LOG_FORMAT", "Form of the lines, on stderr", "text")
})
