/**
 * One containerd, and the calls on it: each with a limit, and tried again for a moment when containerd could not be reached or
 * the connection broke, because it is restarted while its containers run on. What it refuses is refused at once.
 */
import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape
} from "@bufbuild/protobuf"
import { create, fromBinary, toBinary } from "@bufbuild/protobuf"
import {
  type CallOptions as GrpcOptions,
  Client,
  credentials,
  Metadata,
  type ServiceError,
  status
} from "@grpc/grpc-js"
import { Context, Effect, Layer, Schedule, type Scope, Stream } from "effect"
import { Buffer } from "node:buffer"
import { type ContainerdFailure, failureOf, lateFailure } from "./ContainerdFailure.ts"
import { answerTo } from "./Conversation.ts"
import { Version } from "./generated/containerd/version_pb.ts"

export interface CallOptions {
  /** What the call creates is held by this lease. */
  readonly lease?: string | undefined
  /** `Infinity`: the answer comes when something happens. */
  readonly limitMs?: number
  /** `false`: asking twice does not come to the same, so that a request that may have been heard is not repeated. */
  readonly repeatable?: boolean
}

/** A question, of which the next may be asked once it is answered. */
export type Ask<M extends DescMethod> = (
  fields: MessageInitShape<M["input"]>
) => Effect.Effect<MessageShape<M["output"]>, ContainerdFailure>

/** Methods are those of the generated services: `Images.method.get`. All calls are about one namespace. */
export class ContainerdApi extends Context.Service<
  ContainerdApi,
  {
    readonly namespace: string
    readonly call: <M extends DescMethodUnary>(
      method: M,
      fields: MessageInitShape<M["input"]>,
      options?: CallOptions
    ) => Effect.Effect<MessageShape<M["output"]>, ContainerdFailure>
    /** Never repeated. Nothing is read ahead of whoever takes the answers; the call ends with its stream. */
    readonly listen: <M extends DescMethodServerStreaming>(
      method: M,
      fields: MessageInitShape<M["input"]>,
      options?: Omit<CallOptions, "repeatable">
    ) => Stream.Stream<MessageShape<M["output"]>, ContainerdFailure>
    /** Never repeated. The limit is that of each answer; the call is broken off with its scope. */
    readonly converse: <M extends DescMethodBiDiStreaming>(
      method: M,
      options?: Omit<CallOptions, "repeatable">
    ) => Effect.Effect<Ask<M>, never, Scope.Scope>
    /** `false`: it did not answer when it was last asked. */
    readonly isReachable: () => boolean
  }
>()("esb/layers/containerd/ContainerdApi") {}

export interface ContainerdAddress {
  /** Absolute. */
  readonly socketPath: string
  readonly namespace: string
}

const callLimitMs = 30_000
const retries = 4
const retryEvery = Schedule.exponential("50 millis")

const channelOptions = {
  // Content comes in pieces of less; lists of ten thousand containers are more than the 4 MiB that are usual.
  "grpc.max_receive_message_length": 64 * 1024 ** 2,
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 500,
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_channelz": 0
}

/** The end of a call, and what it means that it failed. */
const limited = (path: string, limitMs: number) => {
  const deadline = Date.now() + limitMs
  return {
    options: { deadline } satisfies GrpcOptions,
    failure: (error: ServiceError | null): ContainerdFailure =>
      Date.now() < deadline ? failureOf(path, error) : lateFailure(path, limitMs)
  }
}

/** How a method is written and read. */
const wireOf = <M extends DescMethod>(method: M) => ({
  path: `/${method.parent.typeName}/${method.name}`,
  write: (fields: MessageInitShape<M["input"]>): Buffer => {
    const { buffer, byteLength, byteOffset } = toBinary(method.input, create(method.input, fields))
    return Buffer.from(buffer, byteOffset, byteLength)
  },
  read: (bytes: Buffer): MessageShape<M["output"]> => fromBinary<M["output"]>(method.output, bytes)
})

export const layer = ({ namespace, socketPath }: ContainerdAddress): Layer.Layer<ContainerdApi> =>
  Layer.effect(
    ContainerdApi,
    Effect.gen(function* () {
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => new Client(`unix://${socketPath}`, credentials.createInsecure(), channelOptions)),
        (made) => Effect.sync(() => made.close())
      )
      let isReachable = true

      const noted = <A>(asked: Effect.Effect<A, ContainerdFailure>): Effect.Effect<A, ContainerdFailure> =>
        asked.pipe(
          Effect.tap(() => Effect.sync(() => void (isReachable = true))),
          Effect.tapError(({ kind }) => Effect.sync(() => void (isReachable = kind === "refused")))
        )

      const metadata = (lease: string | undefined): Metadata => {
        const told = new Metadata()
        told.set("containerd-namespace", namespace)
        if (lease !== undefined) told.set("containerd-lease", lease)
        return told
      }

      const once = <M extends DescMethodUnary>(
        method: M,
        fields: MessageInitShape<M["input"]>,
        { lease, limitMs = callLimitMs }: CallOptions
      ) => {
        const { path, read, write } = wireOf(method)
        return Effect.callback<MessageShape<M["output"]>, ContainerdFailure>((resume) => {
          const { failure, options } = limited(path, limitMs)
          const told = metadata(lease)
          const call = client.makeUnaryRequest(path, write, read, fields, told, options, (error, answer) =>
            resume(error === null && answer !== undefined ? Effect.succeed(answer) : Effect.fail(failure(error)))
          )
          return Effect.sync(() => call.cancel())
        })
      }

      const call = <M extends DescMethodUnary>(
        method: M,
        fields: MessageInitShape<M["input"]>,
        options: CallOptions = {}
      ) =>
        noted(once(method, fields, options)).pipe(
          Effect.retry({
            times: retries,
            schedule: retryEvery,
            while: ({ code, kind }) =>
              kind === "unreached" || (kind === "lost" && code === status.UNAVAILABLE && options.repeatable !== false)
          })
        )

      const listen = <M extends DescMethodServerStreaming>(
        method: M,
        fields: MessageInitShape<M["input"]>,
        { lease, limitMs = callLimitMs }: CallOptions = {}
      ) => {
        const { path, read, write } = wireOf(method)
        const opened = Effect.acquireRelease(
          Effect.sync(() => {
            const { failure, options } = limited(path, limitMs)
            const answers = client.makeServerStreamRequest(path, write, read, fields, metadata(lease), options)
            // Whoever reads hears of it; after them there is nobody left to tell.
            return { answers: answers.on("error", () => undefined), failure }
          }),
          ({ answers }) => Effect.sync(() => answers.cancel())
        )
        return Stream.unwrap(
          Effect.map(opened, ({ answers, failure }) =>
            Stream.fromAsyncIterable<MessageShape<M["output"]>, ContainerdFailure>(answers, (error) =>
              failure(error as ServiceError)
            )
          )
        )
      }

      const converse = Effect.fnUntraced(function* <M extends DescMethodBiDiStreaming>(
        method: M,
        { lease, limitMs = callLimitMs }: CallOptions = {}
      ) {
        const { path, read, write } = wireOf(method)
        const talk = yield* Effect.acquireRelease(
          Effect.sync(() =>
            client.makeBidiStreamRequest(path, write, read, metadata(lease)).on("error", () => undefined)
          ),
          (open) => Effect.sync(() => open.cancel())
        )
        return (fields: MessageInitShape<M["input"]>) => noted(answerTo(talk, fields, path, limitMs))
      })

      // The first call on a connection takes 25 ms; a containerd that is not there yet is none of our business here.
      yield* Effect.forkScoped(Effect.ignore(call(Version.method.version, {})))
      return { namespace, call, listen, converse, isReachable: () => isReachable }
    })
  )
