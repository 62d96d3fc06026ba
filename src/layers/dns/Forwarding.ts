/** Names that others know: their servers are asked in order, each for its part of the time, until one has an answer. */
import { Clock, Effect, Option } from "effect"
import { randomInt } from "node:crypto"
import type { Complain } from "./Complaints.ts"
import * as Exchange from "./Exchange.ts"
import * as Message from "./Message.ts"
import * as Nameservers from "./Nameservers.ts"
import type { NameServerSettings } from "./NameServerSettings.ts"

const ids = 65_536

/** Asked by itself a server would never come to an end. */
const others = ({ address, port }: NameServerSettings, servers: ReadonlyArray<Nameservers.Nameserver>) =>
  servers.filter((server) => server.address !== address || server.port !== port)

/** Whom it asks, as it is known at the moment. */
const serversOf = (settings: NameServerSettings) =>
  settings.upstream === undefined
    ? Effect.cachedWithTTL(
        Effect.map(Nameservers.ofMachine(settings.resolverFile), (servers) => others(settings, servers)),
        settings.resolverFileAgeMs
      )
    : Effect.succeed(Effect.succeed(others(settings, settings.upstream)))

/** The answer of the first that has one, or the failure that the last of them told. */
export const make = Effect.fnUntraced(function* (settings: NameServerSettings, complain: Complain) {
  const servers = yield* serversOf(settings)
  return Effect.fnUntraced(function* (query: Message.Query) {
    const all = yield* servers
    const sent = Message.withId(query.bytes, randomInt(ids))
    const endsAt = (yield* Clock.currentTimeMillis) + settings.answerWithinMs
    let last = Message.failed(query)
    if (all.length === 0) complain("there is no name server to ask")
    for (const [at, server] of all.entries()) {
      const part = (endsAt - (yield* Clock.currentTimeMillis)) / (all.length - at)
      const answer = yield* Exchange.ask(server, query, sent).pipe(
        Effect.timeoutOrElse({
          duration: part,
          orElse: () =>
            Effect.fail(new Exchange.Unanswered({ server: Nameservers.write(server), detail: "no answer in time" }))
        }),
        Effect.tapError(({ message }) => Effect.sync(() => complain(message))),
        Effect.option
      )
      if (Option.isNone(answer)) continue
      last = Message.withId(answer.value, Message.idOf(query.bytes))
      if (!Message.isUnwilling(answer.value)) break
    }
    return last
  })
})
