/** The end of a worker whose user code failed where nobody caught it: told to the caller first, then the process ends. */
import type { Log } from "./Console.ts"
import { RuntimeFault } from "./Fault.ts"
import { flushed } from "./StandardStreams.ts"

/** The exit codes of AWS's client. */
const UNHANDLED_REJECTION = 128
const UNCAUGHT_EXCEPTION = 129
/** A Runtime API that takes no last word must not keep the worker alive. */
const LAST_WORD_MS = 2000

export interface CrashReport {
  /** Tells whoever waits, if anybody does. Resolves once that is known. */
  send: (thrown: unknown) => Promise<unknown>
  /** From now on this worker takes no call. */
  ending: boolean
}

export const reportCrashes = (log: Log, report: CrashReport) => {
  const end = async (what: string, thrown: unknown, exitCode: number) => {
    log.error(what, thrown)
    if (report.ending) return
    report.ending = true
    setTimeout(() => process.exit(exitCode), LAST_WORD_MS).unref()
    await flushed()
    // The exit that follows is all that is left to say when even this fails.
    await report.send(thrown).catch(() => {})
    process.exit(exitCode)
  }
  process.on("uncaughtException", (thrown) => void end("Uncaught Exception", thrown, UNCAUGHT_EXCEPTION))
  process.on("unhandledRejection", (reason) => {
    const thrown = new RuntimeFault("Runtime.UnhandledPromiseRejection", String(reason))
    void end("Unhandled Promise Rejection", Object.assign(thrown, { reason }), UNHANDLED_REJECTION)
  })
}
