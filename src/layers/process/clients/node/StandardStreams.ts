/**
 * What user code writes to `process.stdout` and `process.stderr` itself. When the pipe is full, Node keeps it in memory
 * and goes on; all output of a call must be in the pipe before its answer.
 */

const FULL_PIPE_PAUSE_MS = 1

const used = new Set<NodeJS.WriteStream>()

/** Remembers which of the two streams are ever asked for. Making them costs time, so that is left to user code. */
export const watchStandardStreams = () => {
  for (const name of ["stdout", "stderr"] as const) {
    const property = Object.getOwnPropertyDescriptor(process, name)
    const make = property?.get
    if (make === undefined) continue
    const get = (): NodeJS.WriteStream => {
      const stream = make.call(process) as NodeJS.WriteStream
      used.add(stream)
      return stream
    }
    Object.defineProperty(process, name, { ...property, get })
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/**
 * Resolves when all that was written has left this process, or never will. Asks again and again, because user code may
 * have put its own function in the place of `write`. The limit is that of the call.
 */
export const flushed = async (): Promise<void> => {
  for (const stream of used) {
    while (stream.writableLength > 0 && !stream.destroyed) await pause(FULL_PIPE_PAUSE_MS)
  }
}
