/** A containerd that fails where a test wants it to: between the engine and the real one, call by call. */
import type { DescMethod } from "@bufbuild/protobuf"
import { status } from "@grpc/grpc-js"
import { Effect, Fiber, Layer, Stream } from "effect"
import { ContainerdApi } from "#layers/containerd/ContainerdApi"
import { ContainerdFailure } from "#layers/containerd/ContainerdFailure"

/**
 * `refused`: containerd has not done it. `unanswered`: it has, and nobody hears of it. `late`: it does it in its own time, when
 * nobody waits for it any more. `away`: from then on it does nothing, and says nothing.
 */
export type How = "refused" | "unanswered" | "late" | "away"

export interface FaultyContainerd {
  readonly layer: Layer.Layer<ContainerdApi, never, ContainerdApi>
  /** Which methods were asked for since it was last well, each once, in this order. */
  readonly asked: () => ReadonlyArray<string>
  /** The next call of this method, as `Tasks.Create`, fails. */
  readonly fail: (method: string, how: How) => void
  /** Nobody hears of events of this topic. */
  readonly silence: (topic: string) => void
  /** Nothing is done any more for which nobody waits. */
  readonly calm: Effect.Effect<void>
  /** Nothing fails any more, and nothing has been asked. */
  readonly recover: () => void
}

const nameOf = (method: DescMethod): string => `${method.parent.name}.${method.name}`

const failure = (how: How): ContainerdFailure =>
  how === "refused"
    ? new ContainerdFailure({ kind: "refused", code: status.UNKNOWN, message: "the test refuses it" })
    : new ContainerdFailure({ kind: "lost", code: status.UNAVAILABLE, message: "the test does not answer" })

export const make = (): FaultyContainerd => {
  const asked = new Set<string>()
  const late: Array<Fiber.Fiber<unknown, ContainerdFailure>> = []
  let due: { readonly method: string; readonly how: How } | undefined
  let isAway = false
  let silenced: string | undefined

  const isHeard = (answer: object): boolean => !("topic" in answer) || answer.topic !== silenced

  const passing = <A>(method: DescMethod, call: Effect.Effect<A, ContainerdFailure>) =>
    Effect.suspend(() => {
      const name = nameOf(method)
      asked.add(name)
      if (isAway) return Effect.fail(failure("away"))
      if (due?.method !== name) return call
      const { how } = due
      due = undefined
      isAway = how === "away"
      if (how === "late") {
        return Effect.andThen(
          Effect.map(Effect.forkDetach(call), (fiber) => void late.push(fiber)),
          Effect.fail(failure(how))
        )
      }
      return how === "unanswered" ? Effect.andThen(call, Effect.fail(failure(how))) : Effect.fail(failure(how))
    })

  return {
    layer: Layer.effect(
      ContainerdApi,
      Effect.map(ContainerdApi, (api) => ({
        ...api,
        call: (method, fields, options) => passing(method, api.call(method, fields, options)),
        listen: (method, fields, options) => Stream.filter(api.listen(method, fields, options), isHeard),
        isReachable: () => !isAway && api.isReachable()
      }))
    ),
    asked: () => [...asked],
    fail: (method, how) => {
      due = { method, how }
    },
    silence: (topic) => {
      silenced = topic
    },
    calm: Effect.asVoid(Effect.suspend(() => Fiber.awaitAll(late))),
    recover: () => {
      asked.clear()
      due = undefined
      isAway = false
    }
  }
}
