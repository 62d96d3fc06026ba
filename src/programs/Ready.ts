/** Tells whoever waits that a program answers, and where. */
import { writeSync } from "node:fs"
import { isIPv6, Socket } from "node:net"
import { Effect, Layer } from "effect"

/** The URL to reach a program by on its own machine. */
export const urlOf = (scheme: "http" | "https", listensOn: string, port: number): string => {
  const everywhere = listensOn === "0.0.0.0" || listensOn === "::"
  const host = everywhere ? "127.0.0.1" : isIPv6(listensOn) ? `[${listensOn}]` : listensOn
  return `${scheme}://${host}:${port}`
}

/** One line of JSON to the file descriptor, if there is one: `{"ready":true,"url":"http://127.0.0.1:8080"}`. */
export const layer = (options: { readonly url: string; readonly fileDescriptor: number | undefined }) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      yield* Effect.logInfo(`answering at ${options.url}`)
      const { fileDescriptor } = options
      if (fileDescriptor !== undefined) {
        yield* Effect.try({
          try: () => writeSync(fileDescriptor, `${JSON.stringify({ ready: true, url: options.url })}\n`),
          catch: String
        }).pipe(
          Effect.catch((reason) => Effect.logWarning(`nobody listens on file descriptor ${fileDescriptor}: ${reason}`))
        )
      }
    })
  )

/**
 * Succeeds when whoever holds the other end of the file descriptor has let go of it: a server that was started by
 * somebody does not outlive him, however he ended. Never, without one, or when it is a file.
 */
export const listenerGone = (fileDescriptor: number | undefined): Effect.Effect<void> =>
  fileDescriptor === undefined
    ? Effect.never
    : Effect.callback((resume) => {
        const socket = open(fileDescriptor)
        socket
          ?.on("error", () => undefined)
          .on("close", () => resume(Effect.void))
          .resume()
        return Effect.sync(() => socket?.destroy())
      })

const open = (fileDescriptor: number): Socket | undefined => {
  try {
    return new Socket({ fd: fileDescriptor })
  } catch {
    // A file, or nothing at all: there is nobody to lose.
    return undefined
  }
}
