/** What a client is answered, whichever way it asks. */
import { Effect, Option } from "effect"
import * as OwnNames from "#domain/OwnNames"
import * as Subnet from "#domain/Subnet"
import type { Complain } from "./Complaints.ts"
import * as Forwarding from "./Forwarding.ts"
import * as Message from "./Message.ts"
import type { NameServerSettings } from "./NameServerSettings.ts"
import * as Turns from "./Turns.ts"

export interface Answers {
  /** Whether somebody at this address is answered at all. */
  readonly isClient: (address: string) => boolean
  /** The whole answer to a message; none, where it is dropped. It comes in time, and without a failure. */
  readonly to: (bytes: Buffer, client: string, way: "datagram" | "connection") => Effect.Effect<Option.Option<Buffer>>
}

export const make = Effect.fnUntraced(function* (settings: NameServerSettings, complain: Complain) {
  const look = OwnNames.make(settings.names)
  const forward = yield* Forwarding.make(settings, complain)
  const turns = Turns.make(settings.waiting)

  const whole = (query: Message.Query, client: string): Effect.Effect<Buffer> => {
    const own = Message.ownAnswer(query, look(query.name), settings.ownSeconds)
    if (own !== undefined) return Effect.succeed(own)
    if (!turns.enter(client)) {
      complain(`${client} asks more than can be asked for it at a time`)
      return Effect.succeed(Message.failed(query))
    }
    return Effect.ensuring(
      forward(query),
      Effect.sync(() => turns.leave(client))
    )
  }

  const answers: Answers = {
    isClient: (address) => Subnet.contains(settings.clients, address),
    to: (bytes, client, way) =>
      Effect.suspend(() => {
        const read = bytes.length > settings.queryBytes ? undefined : Message.read(bytes)
        if (read === undefined || read._tag === "Malformed") {
          complain(`${client} sends what is no query, which is dropped`)
          return Effect.succeedNone
        }
        if (read._tag === "Declined") return Effect.succeedSome(read.answer)
        const { query } = read
        const answer = whole(query, client)
        return Effect.map(answer, (all) => Option.some(way === "connection" ? all : Message.fitted(query, all)))
      })
  }
  return answers
})
