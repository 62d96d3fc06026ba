/** Builds again whenever a source changes. What cannot be built is told, and what ran before goes on running. */
import { type Cause, Effect } from "effect"
import { messageOf } from "../Program.ts"
import * as ConfigFiles from "./ConfigFiles.ts"
import type { Deployment } from "./Deployment.ts"
import * as SourceWatch from "./SourceWatch.ts"
import type { Voice } from "./Voice.ts"

export interface Following<E, R> {
  readonly prepare: Effect.Effect<Deployment, E, R>
  /** What was deployed last. */
  readonly from: Deployment
  readonly home: string
  readonly voice: Voice
}

/** Never succeeds. */
export const follow = Effect.fnUntraced(function* <E, R>({ from, home, prepare, voice }: Following<E, R>) {
  const watch = yield* SourceWatch.make(voice.warn)
  yield* watch.follow(from.inputs)

  const once = prepare.pipe(
    Effect.tap(({ inputs }) => watch.follow(inputs)),
    Effect.flatMap(({ manifest }) => ConfigFiles.replace(home, manifest)),
    Effect.map(ConfigFiles.told)
  )
  const failed = (cause: Cause.Cause<unknown>) => voice.warn(`${messageOf(cause)}\nWhat ran before goes on running.`)
  for (;;) {
    yield* watch.changed
    yield* Effect.matchCause(once, { onSuccess: (lines) => lines.forEach(voice.note), onFailure: failed })
  }
})
