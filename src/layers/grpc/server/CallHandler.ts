/** What answers the calls of a service: one function for each method, typed by the service's descriptor. */
import type { DescMessage, DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf"
import type { Effect, Stream } from "effect"
import type { Refused } from "./Refused.ts"

/** What a handler may want to know of a call besides its message. */
export interface Call {
  /** `host:port` as the client called the server, from `:authority`; empty when it did not say. */
  readonly authority: string
  /** `address:port` of the client. */
  readonly peer: string
}

interface Kind<K extends DescMethod["methodKind"], I extends DescMessage, O extends DescMessage> {
  readonly methodKind: K
  readonly input: I
  readonly output: O
}

/** One answer, a stream of them, or, where both sides stream, one answer to each message, in order. */
type CallHandler<M> =
  M extends Kind<"unary", infer I, infer O>
    ? (request: MessageShape<I>, call: Call) => Effect.Effect<MessageInitShape<O>, Refused>
    : M extends Kind<"server_streaming", infer I, infer O>
      ? (request: MessageShape<I>, call: Call) => Stream.Stream<MessageInitShape<O>, Refused>
      : M extends Kind<"bidi_streaming", infer I, infer O>
        ? (message: MessageShape<I>, call: Call) => Effect.Effect<MessageInitShape<O>, Refused>
        : never

/** A service as far as its handlers are concerned. */
export type Methods = Pick<DescService, "method">

/** By the names that methods have in TypeScript: `ensureContainer`. */
export type CallHandlers<S extends Methods> = {
  readonly [K in keyof S["method"]]: CallHandler<S["method"][K]>
}
