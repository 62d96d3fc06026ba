import { spawn } from "node:child_process"
import { constants } from "node:os"

/**
 * Runs a command in the foreground of this process: with its terminal, its environment and its signals. Resolves with
 * the exit code, 128 and the signal's number when it was killed, as a shell has it.
 */
export const inForeground = (file, args, options = {}) =>
  new Promise((done, failed) => {
    const child = spawn(file, args, { ...options, stdio: "inherit" })
    const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
      process.on(signal, () => {
        // Ctrl-C on a terminal reaches the whole process group: a second copy would read as impatience.
        if (signal === "SIGINT" && onTerminal) return
        child.kill(signal)
      })
    }
    child.on("error", failed)
    child.on("exit", (code, signal) => done(signal === null ? code : 128 + constants.signals[signal]))
  })
