/**
 * Which containers have ended, and which had too little memory, as containerd tells it. The connection is made anew for ever when
 * it breaks; what happened meanwhile is for `onConnected` to find out.
 */
import { fromBinary } from "@bufbuild/protobuf"
import { Effect, Stream } from "effect"
import { ContainerdApi } from "./ContainerdApi.ts"
import { type Envelope, Events } from "./generated/containerd/events_pb.ts"
import { TaskExitSchema, TaskOOMSchema } from "./generated/containerd/task_events_pb.ts"

export interface Listening {
  readonly reconnectEveryMs: number
  /** Asked for as soon as events are heard, and again after every time they were not. */
  readonly onConnected: Effect.Effect<void>
  /** The first process of the container of this name is gone. Never blocks. */
  readonly onEnd: (name: string) => void
  /** The kernel has killed for want of memory in the container of this name. Never blocks. */
  readonly onOutOfMemory: (name: string) => void
}

const topics = { exit: "/tasks/exit", outOfMemory: "/tasks/oom" }

/** The answer to a question without an answer. */
const forever = 365 * 86_400_000

export const listen = Effect.fnUntraced(function* (listening: Listening) {
  const { listen, namespace } = yield* ContainerdApi
  const { onConnected, onEnd, onOutOfMemory, reconnectEveryMs } = listening
  const filters = Object.values(topics).map((topic) => `namespace==${namespace},topic==${JSON.stringify(topic)}`)

  const hear = ({ event, topic }: Envelope): void => {
    if (event === undefined) return
    if (topic === topics.outOfMemory) return onOutOfMemory(fromBinary(TaskOOMSchema, event.value).containerId)
    const { containerId, id } = fromBinary(TaskExitSchema, event.value)
    // Other processes of a container go by names of their own.
    if (id === containerId) onEnd(containerId)
  }

  const session = Effect.scoped(
    Effect.gen(function* () {
      // Nothing says that containerd listens; what it does not yet hear of is looked for a moment later.
      yield* Effect.forkScoped(Effect.delay(onConnected, reconnectEveryMs))
      yield* listen(Events.method.subscribe, { filters }, { limitMs: forever }).pipe(
        Stream.runForEach((envelope) => Effect.sync(() => hear(envelope)))
      )
    })
    // The next session says it all again.
  ).pipe(Effect.ignore({ log: "Debug" }))
  return yield* Effect.forever(Effect.andThen(session, Effect.sleep(reconnectEveryMs)))
})
