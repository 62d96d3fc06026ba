/** Bytes towards a stack that no client library would send. */
import { Effect } from "effect"
import { connect } from "node:net"

/** Writes the bytes and returns all that comes back until the other side closes the connection. */
export const exchange = (origin: string, bytes: string | Uint8Array): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const { hostname, port } = new URL(origin)
    const chunks: Array<Buffer> = []
    const socket = connect(Number(port), hostname)
    socket.on("data", (chunk: Buffer) => chunks.push(chunk))
    // A reset that follows an answer takes nothing from it; one without an answer shows as an empty answer.
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.succeed(Buffer.concat(chunks).toString("latin1"))))
    socket.write(bytes)
    return Effect.sync(() => socket.destroy())
  })
