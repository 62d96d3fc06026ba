/** How a worker ended, told in the words in which AWS tells it. */
import { errorPayload } from "./Invocation.ts"

/** How one process of a worker ended: by its own code, or by a signal. */
export interface ExitStatus {
  readonly code: number | undefined
  /** `SIGKILL`, `SIGSEGV` … */
  readonly signal: string | undefined
  /** Killed for using more memory than it has. */
  readonly outOfMemory: boolean
  /** The external extension whose process this was; `undefined` for the runtime itself. */
  readonly extension: string | undefined
}

/** Of Linux, where containers run, by their numbers from 1 on. */
const linuxSignals = (
  "SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM SIGTERM SIGSTKFLT " +
  "SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS"
).split(" ")

/** Exit codes above it are signals, as shells count them. */
const signalBase = 128

/** Engines of containers tell a signal as a code. */
export const ofCode = (code: number, outOfMemory: boolean): ExitStatus => {
  const signal = linuxSignals[code - signalBase - 1]
  return { code: signal === undefined ? code : undefined, signal, outOfMemory, extension: undefined }
}

/** Signals as AWS's platform, which is written in Go, spells them. */
const signalWords: Readonly<Record<string, string>> = {
  SIGABRT: "aborted",
  SIGALRM: "alarm clock",
  SIGBUS: "bus error",
  SIGFPE: "floating point exception",
  SIGHUP: "hangup",
  SIGILL: "illegal instruction",
  SIGINT: "interrupt",
  SIGKILL: "killed",
  SIGPIPE: "broken pipe",
  SIGQUIT: "quit",
  SIGSEGV: "segmentation fault",
  SIGTERM: "terminated",
  SIGTRAP: "trace/breakpoint trap"
}

const errorTypeOf = (status: ExitStatus): string => {
  if (status.outOfMemory) return "Runtime.OutOfMemory"
  return status.extension === undefined ? "Runtime.ExitError" : "Extension.Crash"
}

const reasonOf = (status: ExitStatus): string => {
  if (status.signal !== undefined) return `signal: ${signalWords[status.signal] ?? status.signal}`
  return `exit status ${status.code ?? 0}`
}

const messageOf = (status: ExitStatus): string => {
  if (status.extension !== undefined)
    return status.signal === undefined ? `exit code ${status.code ?? 0}` : reasonOf(status)
  if (status.signal === undefined && status.code === 0) return "Runtime exited without providing a reason"
  return `Runtime exited with error: ${reasonOf(status)}`
}

/** An error that the platform reports in place of the function. */
export interface PlatformError {
  readonly errorType: string
  /** The sentence in the payload, for the log. */
  readonly message: string
  readonly payload: Uint8Array
}

export const platformError = (requestId: string, errorType: string, reason: string): PlatformError => {
  const message = `RequestId: ${requestId} Error: ${reason}`
  return { errorType, message, payload: errorPayload(errorType, message) }
}

const lost = "Sandbox.Failure"

/** What the caller is told whose call was under way when its worker could not be reached any more: nobody knows its end. */
export const lostError = (requestId: string, reason: string): PlatformError => platformError(requestId, lost, reason)

/** The platform lost sight of the call: neither the function nor its worker is known to have failed. */
export const isLost = ({ errorType }: Pick<PlatformError, "errorType">): boolean => errorType === lost

/** What the caller is told whose call, or whose worker's start, took longer than it may. */
export const timeoutError = (requestId: string, limitMs: number): PlatformError =>
  platformError(requestId, "Sandbox.Timedout", `Task timed out after ${(limitMs / 1_000).toFixed(2)} seconds`)

/** What the caller is told whose call, or whose worker's start, ended this way. */
export const exitError = (requestId: string, status: ExitStatus): PlatformError =>
  platformError(requestId, errorTypeOf(status), messageOf(status))
