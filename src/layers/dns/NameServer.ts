/**
 * Names for workers where nobody else has them: our own from the settings, all others from the machine's name servers. It answers
 * one network and nobody else, remembers nothing, and bounds whatever its clients may make it do.
 */
import { Effect, Exit, FiberSet, Scope } from "effect"
import * as Answers from "./Answers.ts"
import * as Complaints from "./Complaints.ts"
import * as Connections from "./Connections.ts"
import * as Datagrams from "./Datagrams.ts"
import {
  defaults,
  type NameServerOptions,
  type NameServerPlace,
  type NameServerSettings
} from "./NameServerSettings.ts"

const listening = Effect.fnUntraced(function* (settings: NameServerSettings) {
  const complain = yield* Complaints.make
  const answers = yield* Answers.make(settings, complain)
  const fork = yield* FiberSet.makeRuntime()
  const run = (answering: Effect.Effect<void>): void =>
    void fork(Effect.tapDefect(answering, (defect) => Effect.logError("A question for a name met a bug", defect)))
  const port = yield* Connections.listen(settings, answers, run, complain)
  return yield* Datagrams.listen({ address: settings.address, port }, answers, run, complain)
})

/** Answers when this returns, until the scope ends, at the port that is returned. A failure leaves nothing open. */
export const serve = Effect.fn("NameServer.serve")(function* (given: NameServerPlace & Partial<NameServerOptions>) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  return yield* listening({ ...defaults, ...given }).pipe(
    Scope.provide(scope),
    Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
  )
})
