/** The way to one Agent: a connection that is made when it is needed, and made anew when it broke or the certificates changed. */
import type { DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf"
import type { ChannelCredentials } from "@grpc/grpc-js"
import { Clock, Effect, type Scope, Semaphore } from "effect"
import { AgentChannel, type ChannelLimits } from "./AgentChannel.ts"
import { type AgentFailure, AgentUnreachable, isAnswer } from "./AgentFailure.ts"

export interface LinkLimits extends ChannelLimits {
  /** After the first attempt that failed no other is made for so long, and twice as long after each further one … */
  readonly firstBackoffMs: number
  /** … but never for longer than this. */
  readonly longestBackoffMs: number
}

export interface AgentLink {
  readonly address: string
  /** The last that was tried was answered, or nothing was tried yet. */
  readonly isReachable: () => boolean
  /**
   * Connects first when there is no connection: {@link AgentUnreachable} after a single attempt, or at once while the last
   * failed one is too recent. Calls that wait for the same attempt share its result.
   */
  readonly call: <M extends DescMethodUnary>(
    method: M,
    fields: MessageInitShape<M["input"]>,
    deadlineMs: number
  ) => Effect.Effect<MessageShape<M["output"]>, AgentFailure>
  /** New calls go over a new connection; the old one closes when its calls have ended. */
  readonly renew: () => void
}

export const make = Effect.fnUntraced(function* (
  address: string,
  credentials: () => ChannelCredentials,
  limits: LinkLimits
): Effect.fn.Return<AgentLink, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  const oneAtATime = Semaphore.makeUnsafe(1)
  let channel: AgentChannel | undefined
  let failures = 0
  let lastFailure: { readonly detail: string; readonly untilMs: number } | undefined
  let reachable = true

  const renew = (): void => {
    channel?.retire()
    channel = undefined
    failures = 0
    lastFailure = undefined
  }
  yield* Effect.addFinalizer(() => Effect.sync(renew))

  const succeeded = (): void => {
    failures = 0
    lastFailure = undefined
  }

  const failed = ({ detail }: AgentUnreachable): void => {
    const backoffMs = Math.min(limits.longestBackoffMs, limits.firstBackoffMs * 2 ** failures)
    failures += 1
    lastFailure = { detail, untilMs: clock.currentTimeMillisUnsafe() + backoffMs }
    channel = undefined
  }

  const attempt: Effect.Effect<AgentChannel, AgentUnreachable> = Effect.suspend(() => {
    if (lastFailure !== undefined && clock.currentTimeMillisUnsafe() < lastFailure.untilMs) {
      return Effect.fail(new AgentUnreachable({ address, detail: lastFailure.detail }))
    }
    const tried = (channel ??= new AgentChannel(address, credentials(), limits, clock))
    return Effect.matchEffect(tried.connect, {
      onSuccess: () => {
        if (tried !== channel) return attempt
        succeeded()
        return Effect.succeed(tried)
      },
      onFailure: (failure) => {
        // It was closed for being renewed.
        if (tried !== channel) return attempt
        failed(failure)
        return Effect.fail(failure)
      }
    })
  })

  const connected = Effect.suspend(() =>
    channel?.isReady() === true ? Effect.succeed(channel) : oneAtATime.withPermit(attempt)
  )

  return {
    address,
    isReachable: () => reachable,
    call: (method, fields, deadlineMs) =>
      connected.pipe(
        Effect.flatMap((channel) => channel.send(method, fields, deadlineMs)),
        // No attempt has failed: the connection was lost, or renewed, a moment before the call was sent.
        Effect.retry({ times: 1, while: ({ _tag }) => _tag === "AgentUnreachable" && lastFailure === undefined }),
        Effect.tap(() => Effect.sync(() => void (reachable = true))),
        Effect.tapError((failure) => Effect.sync(() => void (reachable = isAnswer(failure))))
      ),
    renew
  }
})
