/** Output that cannot be written: its reader has left, which is how `| head` works and no failure, or the disk is full. */

let code: number | undefined

/** Stops the command at the first such error. */
export const watch = (): void => {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (code !== undefined) return
    code = error.code === "EPIPE" ? 0 : 1
    process.exitCode = code
    if (code !== 0) process.stderr.write(`The output cannot be written: ${error.message}\n`)
    // Emitted and not sent: where nobody waits for it, the command has ended already.
    process.emit("SIGTERM", "SIGTERM")
  })
  // There is nobody left to tell.
  process.stderr.on("error", () => undefined)
}

/** With which code the command has to end for it; `undefined` while all could be written. */
export const exitCode = (): number | undefined => code
