/** A way to the Docker Engine of this machine on which everything that is asked takes its time. */
import { Effect } from "effect"
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import { join } from "node:path"
import { Transform } from "node:stream"
import { temporaryDirectory } from "./ProcessWorkers.ts"

const engineSocket = "/var/run/docker.sock"

const late = (delayMs: () => number): Transform =>
  new Transform({
    transform: (chunk: Buffer, _encoding, passed) => void setTimeout(() => passed(null, chunk), delayMs())
  })

/** Open until the scope ends. Questions are held back for as long as it is told; answers are not. */
export const make = Effect.fnUntraced(function* () {
  const socketPath = join(temporaryDirectory(), "slow.sock")
  const open = new Set<Socket>()
  let delayMs = 0
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const engine = connect(engineSocket)
    for (const socket of [client, engine]) {
      open.add(socket)
      socket.on("error", () => socket.destroy())
      socket.once("close", () => open.delete(socket))
    }
    const questions = late(() => delayMs)
    client.pipe(questions)
    questions.pipe(engine)
    engine.pipe(client)
    client.once("close", () => engine.destroy())
    engine.once("close", () => client.destroy())
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => once(server.listen(socketPath), "listening")),
    () =>
      Effect.promise(async () => {
        for (const socket of open) socket.destroy()
        await new Promise((resolve) => server.close(resolve))
      })
  )
  return {
    socketPath,
    delay: (ms: number) =>
      Effect.sync(() => {
        delayMs = ms
      })
  }
})
