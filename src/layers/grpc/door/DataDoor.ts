/**
 * The port of an Agent where Gateways send calls, ask whether workers are ready, and read their log.
 *
 * A call belongs to its worker, not to the connection it came by: when that breaks, the call runs to its end. The end of the
 * layer's scope refuses new calls and waits for those in flight, up to a limit.
 */
import { Context, type Duration, Effect, Layer, Result, Scope } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as DoorAnswer from "./DoorAnswer.ts"
import * as DoorCalls from "./DoorCalls.ts"
import * as DoorRequest from "./DoorRequest.ts"
import * as DoorServer from "./DoorServer.ts"
import * as EventBody from "./EventBody.ts"
import { ForwardedLog } from "../log/ForwardedLog.ts"
import * as LogFeed from "../log/LogFeed.ts"
import { OwnerLeases } from "../OwnerLeases.ts"
import * as PeerListener from "../peer/PeerListener.ts"

export class DataDoor extends Context.Service<
  DataDoor,
  {
    /** Where it listens, which is not what was asked for when that was 0. */
    readonly port: number
    /** Calls that run now, or whose answer is still on its way; those without a caller included. */
    readonly callsInFlight: () => number
  }
>()("esb/layers/grpc/door/DataDoor") {}

export interface Options {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** How long calls in flight may go on once the Agent stops. */
  readonly drainTimeout: Duration.Duration
  readonly limits?: Partial<DoorServer.ServerLimits & LogFeed.FeedLimits & DoorCalls.CallLimits>
}

export const layer = ({ drainTimeout, host, limits: given, port }: Options) =>
  Layer.effect(
    DataDoor,
    Effect.gen(function* () {
      const leases = yield* OwnerLeases
      const log = yield* ForwardedLog
      const limits = { ...DoorServer.defaultLimits, ...LogFeed.defaultLimits, ...DoorCalls.defaultLimits, ...given }
      const calls = yield* DoorCalls.make(limits)

      const answer = (wanted: DoorRequest.DoorRequest, request: IncomingMessage, response: ServerResponse): void => {
        if (wanted._tag === "Pulse") return DoorAnswer.nothing(response)
        leases.seen(wanted.owner)
        if (wanted._tag === "Log") return LogFeed.serve(log, wanted, response, limits)
        if (wanted._tag === "Ready") return calls.ready(wanted, response)
        return EventBody.read(
          request,
          (event) => calls.invoke(wanted, request, response, event),
          (failure) => DoorAnswer.whole(response).fail(failure)
        )
      }

      const refuse = (refusal: DoorRequest.Refusal, request: IncomingMessage, response: ServerResponse): void => {
        request.resume()
        if (refusal._tag === "WrongMethod") DoorAnswer.wrongMethod(response, refusal.allowed)
        else DoorAnswer.whole(response).fail(refusal)
      }

      const accept = yield* DoorServer.serve(limits, (request, response) => {
        const wanted = DoorRequest.read(request)
        if (Result.isSuccess(wanted)) answer(wanted.success, request, response)
        else refuse(wanted.failure, request, response)
      })
      const entrance = yield* Effect.acquireRelease(Scope.make(), Scope.close)
      const listening = yield* PeerListener.listen({ host, port, protocol: "http/1.1", accept }).pipe(
        Scope.provide(entrance)
      )
      // First of all: while calls end, Gateways are still let in, and told that no further one is taken. Then nobody new is, or
      // those that try again and again would find the door closed in the middle of a call.
      yield* Effect.addFinalizer((exit) => Effect.andThen(calls.drain(drainTimeout), Scope.close(entrance, exit)))
      return { port: listening.port, callsInFlight: calls.inFlight }
    })
  )
