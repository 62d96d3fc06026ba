/** A gRPC server whose calls are fibers of its scope, on sockets that a {@link PeerListener} has let in. */
import type { DescService } from "@bufbuild/protobuf"
import { Server, ServerCredentials, type ServerInterceptor, type ServiceDefinition } from "@grpc/grpc-js"
import { Effect, Exit, FiberSet, Result, Scope } from "effect"
import type { Duplex } from "node:stream"
import type { CallHandlers, Methods } from "./CallHandler.ts"
import * as Definition from "../Definition.ts"
import * as PeerListener from "../peer/PeerListener.ts"
import type { Refused } from "./Refused.ts"
import { implement, type Run } from "./ServedMethod.ts"

/** A service and what answers its calls. */
export interface Offer {
  readonly service: DescService
  readonly handlers: Readonly<Record<string, unknown>>
}

export const offer = <S extends Methods>(service: S & DescService, handlers: CallHandlers<S>): Offer => ({
  service,
  handlers
})

export interface ServerOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** Bytes of the largest message that is taken. */
  readonly receivedBytes: number
  /** Bytes of the largest message that is sent. */
  readonly sentBytes: number
  /** How long calls may go on once the server stops. */
  readonly drainMs: number
}

/** Calls in flight on one connection; a client holds more of them back. */
const streamsPerConnection = 1_000

/** A client that is gone without a word is noticed after both of these. */
const keepaliveMs = 60_000
const keepaliveTimeoutMs = 20_000

/** How long the last words of a stopping server may take to leave. */
const farewellMs = 1_000

const channelOptions = ({ receivedBytes, sentBytes }: ServerOptions) => ({
  "grpc.max_receive_message_length": receivedBytes,
  "grpc.max_send_message_length": sentBytes,
  "grpc.max_concurrent_streams": streamsPerConnection,
  "grpc.keepalive_time_ms": keepaliveMs,
  "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
  // A registry of everything that ever happened, for a service we do not offer.
  "grpc.enable_channelz": 0
})

/** A message that cannot be read is answered by us and not by grpc-js: the record of the call then knows why. */
const lenient = (definition: ServiceDefinition): ServiceDefinition =>
  Object.fromEntries(
    Object.entries(definition).map(([name, method]) => [
      name,
      {
        ...method,
        requestDeserialize: (bytes: Buffer) =>
          Result.try({ try: () => method.requestDeserialize(bytes), catch: (why) => why })
      }
    ])
  )

/** Until the last of them is closed. */
const closed = (sockets: ReadonlySet<Duplex>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const look = (): void => {
      if (sockets.size === 0) resume(Effect.void)
    }
    for (const socket of sockets) socket.once("close", look)
    look()
  })

/** Waits, but not for ever. Not interruptible: in a finalizer of a fiber that was interrupted it would not wait at all. */
const upTo = (limitMs: number, wait: Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.asVoid(Effect.timeoutOption(wait, limitMs))

/**
 * Serves until the scope ends. Then `lastWords` are said and connections are refused. Calls that were begun go on for up to
 * `drainMs`, streams for a moment; what has not ended by then is told that the server is stopping, and cut off.
 */
export const serve = Effect.fnUntraced(function* (
  options: ServerOptions,
  offers: ReadonlyArray<Offer>,
  interceptors: ReadonlyArray<ServerInterceptor>,
  lastWords: Effect.Effect<void>
) {
  const calls = yield* FiberSet.make<void, Refused>()
  const streams = yield* FiberSet.make<void, Refused>()
  const runCall = yield* FiberSet.runtime(calls)()
  const runStream = yield* FiberSet.runtime(streams)()

  const server = new Server({ ...channelOptions(options), interceptors: [...interceptors] })
  for (const { handlers, service } of offers) {
    const answering = service.methods.map((method) => {
      const run: Run = method.methodKind === "unary" ? runCall : runStream
      return [method.localName, implement(method, handlers[method.localName], run)] as const
    })
    server.addService(lenient(Definition.ofService(service)), Object.fromEntries(answering))
  }

  const sockets = new Set<Duplex>()
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const accept = (socket: Duplex): void => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
    injector.injectConnection(socket)
  }
  const stop = Effect.fnUntraced(function* (listening: Scope.Closeable) {
    yield* lastWords
    yield* Scope.close(listening, Exit.void)
    // Clients are told to begin nothing new. On Node 24 grpc-js calls back at once, whatever is still going on.
    server.tryShutdown(() => undefined)
    yield* upTo(farewellMs, FiberSet.awaitEmpty(streams))
    yield* FiberSet.clear(streams)
    yield* upTo(options.drainMs, FiberSet.awaitEmpty(calls))
    yield* FiberSet.clear(calls)
    yield* upTo(farewellMs, closed(sockets))
    for (const socket of sockets) socket.destroy()
  })
  const listening = yield* Effect.acquireRelease(Scope.make(), stop)
  return yield* PeerListener.listen({ host: options.host, port: options.port, protocol: "h2", accept }).pipe(
    Scope.provide(listening)
  )
})
