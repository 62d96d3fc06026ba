/** One question to one name server, by a datagram and, where the answer does not fit into one, by a connection. */
import { Effect, Schema } from "effect"
import { createSocket } from "node:dgram"
import { connect, isIPv6 } from "node:net"
import * as Frames from "./Frames.ts"
import * as Message from "./Message.ts"
import { type Nameserver, write } from "./Nameservers.ts"

/** No answer came: it cannot be reached, hangs up, or answers something else. */
export class Unanswered extends Schema.TaggedError<Unanswered>()("Unanswered", {
  server: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.server}: ${this.detail}`
  }
}

const longestAnswer = 65_535

const unanswered = (server: Nameserver, detail: string) =>
  Effect.fail(new Unanswered({ server: write(server), detail }))

/** From a port that nobody can guess; what comes there from another server the kernel drops. */
const byDatagram = (server: Nameserver, query: Message.Query, sent: Buffer): Effect.Effect<Buffer, Unanswered> =>
  Effect.callback((resume) => {
    const socket = createSocket(isIPv6(server.address) ? "udp6" : "udp4")
    let isOpen = true
    const close = (): void => {
      if (isOpen) socket.close()
      isOpen = false
    }
    const end = (outcome: Effect.Effect<Buffer, Unanswered>): void => {
      close()
      resume(outcome)
    }
    socket.on("error", ({ message }) => end(unanswered(server, message)))
    socket.on("message", (bytes) => {
      if (Message.isAnswerTo(sent, query.question, bytes)) end(Effect.succeed(bytes))
    })
    socket.on("connect", () => socket.send(sent))
    socket.connect(server.port, server.address)
    return Effect.sync(close)
  })

const byConnection = (server: Nameserver, query: Message.Query, sent: Buffer): Effect.Effect<Buffer, Unanswered> =>
  Effect.callback((resume) => {
    const socket = connect({ host: server.address, port: server.port })
    const frames = Frames.make(longestAnswer)
    const end = (outcome: Effect.Effect<Buffer, Unanswered>): void => {
      socket.destroy()
      resume(outcome)
    }
    socket.on("error", ({ message }) => end(unanswered(server, message)))
    socket.on("close", () => end(unanswered(server, "hung up")))
    socket.on("data", (chunk) => {
      frames.push(chunk)
      const bytes = frames.next()
      if (bytes === undefined) return
      const isRight = bytes !== "too long" && Message.isAnswerTo(sent, query.question, bytes)
      end(isRight ? Effect.succeed(bytes) : unanswered(server, "answers something else"))
    })
    socket.write(Frames.framed(sent))
    return Effect.sync(() => socket.destroy())
  })

/** Its whole answer, with the number of `sent`; cut where the server has no more, by whatever way. It may take for ever. */
export const ask = (server: Nameserver, query: Message.Query, sent: Buffer): Effect.Effect<Buffer, Unanswered> =>
  byDatagram(server, query, sent).pipe(
    Effect.filterOrElse(
      (answer) => !Message.isTruncated(answer),
      // The cut answer is better than none.
      (answer) => Effect.orElseSucceed(byConnection(server, query, sent), () => answer)
    )
  )
