/** Queries that come by connections, one after the other on each. */
import { Effect, Option, type Scope } from "effect"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import type { Answers } from "./Answers.ts"
import { because, type CannotListen } from "./CannotListen.ts"
import type { Complain } from "./Complaints.ts"
import type { Place } from "./Datagrams.ts"
import * as Frames from "./Frames.ts"
import type { NameServerSettings } from "./NameServerSettings.ts"
import * as Turns from "./Turns.ts"

type Run = (answering: Effect.Effect<void>) => void

/** What is asked while an answer is on its way waits in the connection, and in the end at its client. */
const serve = (socket: Socket, client: string, answers: Answers, queryBytes: number, run: Run): void => {
  const frames = Frames.make(queryBytes)
  let isBusy = false
  const next = (): void => {
    const bytes = isBusy || socket.destroyed ? undefined : frames.next()
    if (bytes === undefined) return
    if (bytes === "too long") return void socket.destroy()
    isBusy = true
    socket.pause()
    const done = (): void => {
      isBusy = false
      socket.resume()
      next()
    }
    run(
      Effect.map(answers.to(bytes, client, "connection"), (answer) => {
        if (Option.isNone(answer)) return void socket.destroy()
        socket.write(Frames.framed(answer.value), done)
      })
    )
  }
  socket.on("data", (chunk) => {
    frames.push(chunk)
    next()
  })
}

const bind = (server: Server, place: Place): Effect.Effect<number, CannotListen> =>
  Effect.callback((resume) => {
    const fail = (error: NodeJS.ErrnoException): void => resume(Effect.fail(because(place, error)))
    server.once("error", fail)
    server.listen({ host: place.address, port: place.port, exclusive: true }, () => {
      server.off("error", fail)
      resume(Effect.succeed((server.address() as AddressInfo).port))
    })
  })

/** Listens until the scope ends, which ends connections too; returns the port. */
export const listen = Effect.fnUntraced(function* (
  settings: NameServerSettings,
  answers: Answers,
  run: Run,
  complain: Complain
): Effect.fn.Return<number, CannotListen, Scope.Scope> {
  const open = new Set<Socket>()
  const turns = Turns.make(settings.connections)
  const server = createServer({ noDelay: true }, (socket) => {
    const client = socket.remoteAddress
    // It is gone already.
    if (client === undefined) return void socket.destroy()
    const isWelcome = answers.isClient(client)
    if (!isWelcome || !turns.enter(client)) {
      complain(isWelcome ? `${client} opens more connections than it may` : `${client} asks from elsewhere`)
      return void socket.destroy()
    }
    open.add(socket)
    socket.setTimeout(settings.connectionIdleMs, () => socket.destroy())
    // Who leaves without a word is gone all the same.
    socket.on("error", () => undefined)
    socket.on("close", () => {
      open.delete(socket)
      turns.leave(client)
    })
    serve(socket, client, answers, settings.queryBytes, run)
  })
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      server.close()
      open.forEach((socket) => socket.destroy())
    })
  )
  const port = yield* bind(server, settings)
  server.on("error", ({ message }) => complain(message))
  return port
})
