/** Queries that come as datagrams. */
import { Effect, Option, type Scope } from "effect"
import { createSocket, type Socket } from "node:dgram"
import type { Answers } from "./Answers.ts"
import { because, type CannotListen } from "./CannotListen.ts"
import type { Complain } from "./Complaints.ts"

export interface Place {
  readonly address: string
  /** 0 lets the system choose. */
  readonly port: number
}

const bind = (place: Place): Effect.Effect<Socket, CannotListen> =>
  Effect.callback((resume) => {
    const socket = createSocket("udp4")
    const fail = (error: NodeJS.ErrnoException): void => {
      socket.close()
      resume(Effect.fail(because(place, error)))
    }
    socket.once("error", fail)
    socket.bind({ ...place, exclusive: true }, () => {
      socket.off("error", fail)
      resume(Effect.succeed(socket))
    })
  })

/** Listens until the scope ends; returns the port. `run` carries answers out, none after the scope. */
export const listen = Effect.fnUntraced(function* (
  place: Place,
  answers: Answers,
  run: (answering: Effect.Effect<void>) => void,
  complain: Complain
): Effect.fn.Return<number, CannotListen, Scope.Scope> {
  let isOpen = true
  const socket = yield* Effect.acquireRelease(bind(place), (bound) =>
    Effect.callback<void>((resume) => {
      isOpen = false
      bound.close(() => resume(Effect.void))
    })
  )
  socket.on("error", ({ message }) => complain(message))
  socket.on("message", (bytes, { address, port }) => {
    if (!answers.isClient(address)) return complain(`${address} asks from elsewhere, and is not answered`)
    if (port === 0) return complain(`${address} asks from port 0, where nothing can be sent to`)
    const answering = Effect.map(answers.to(bytes, address, "datagram"), (answer) => {
      // Nobody waits for it after 5 seconds: one that cannot be sent is a datagram lost.
      if (Option.isSome(answer) && isOpen) socket.send(answer.value, port, address, () => undefined)
    })
    run(answering)
  })
  return socket.address().port
})
