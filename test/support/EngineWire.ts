/** A wire to the Docker Engine of this machine that can be cut, as when the engine is restarted. */
import { Effect, type Scope } from "effect"
import { once } from "node:events"
import { connect, createServer, type Server, type Socket } from "node:net"
import { join } from "node:path"
import { temporaryDirectory } from "./ProcessWorkers.ts"

const engineSocket = "/var/run/docker.sock"

export interface EngineWire {
  readonly socketPath: string
  /** Every connection breaks, and nobody listens any more. */
  readonly cut: Effect.Effect<void>
  readonly mend: Effect.Effect<void>
}

export const make: Effect.Effect<EngineWire, never, Scope.Scope> = Effect.gen(function* () {
  const socketPath = join(temporaryDirectory(), "engine.sock")
  const open = new Set<Socket>()
  const hold = (socket: Socket): void => {
    open.add(socket)
    socket.on("error", () => socket.destroy())
    socket.once("close", () => open.delete(socket))
  }
  const carry = (client: Socket): void => {
    const engine = connect(engineSocket)
    for (const socket of [client, engine]) hold(socket)
    client.pipe(engine)
    engine.pipe(client)
    client.once("close", () => engine.destroy())
    engine.once("close", () => client.destroy())
  }
  let server: Server | undefined
  const mend = Effect.promise(async () => {
    server = createServer({ allowHalfOpen: true }, carry).listen(socketPath)
    await once(server, "listening")
  })
  const cut = Effect.promise(async () => {
    const closed = server
    server = undefined
    if (closed === undefined) return
    closed.close()
    for (const socket of open) socket.destroy()
    await once(closed, "close")
  })
  yield* Effect.acquireRelease(mend, () => cut)
  return { socketPath, cut, mend }
})
