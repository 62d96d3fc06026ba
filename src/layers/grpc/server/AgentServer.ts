/** An Agent as its clients meet it: the service of `proto/agent.proto`, its health, and, where asked for, reflection. */
import { Context, Effect, Layer } from "effect"
import { limits } from "#domain/Invocation"
import type { Certificates } from "#services/Certificates"
import type { CallHandlers } from "./CallHandler.ts"
import * as CallRecord from "./CallRecord.ts"
import { AgentService } from "../generated/agent_pb.ts"
import { Health } from "../generated/grpc/health/v1/health_pb.ts"
import * as GrpcServer from "./GrpcServer.ts"
import * as ServerHealth from "./Health.ts"
import type { ListenFailed } from "../peer/PeerListener.ts"
import * as Reflection from "./Reflection.ts"

export type AgentHandlers = CallHandlers<typeof AgentService>

export interface AgentServerOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** Whether clients are told the services and messages of the server. */
  readonly reflection: boolean
  /** Bytes of the largest answer of a worker that is handed on. */
  readonly maxAnswerBytes: number
  /** How long calls may go on once the server stops. */
  readonly drainMs: number
}

/** The service's name as an older Agent's health told it. */
const formerName = "agent.v1.AgentService"

/** What a message may take besides the event or the answer in it: headers, an environment. */
const envelopeBytes = 1_048_576

export class AgentServer extends Context.Service<
  AgentServer,
  {
    /** Where it listens. */
    readonly port: number
    /** What its health says of the whole server: not from the moment on that it stops. */
    readonly isServing: Effect.Effect<boolean>
  }
>()("esb/layers/grpc/server/AgentServer") {}

/** Serves as long as the layer lives; {@link GrpcServer.serve} tells how it ends. */
export const layer = <R>(
  options: AgentServerOptions,
  handlers: Effect.Effect<AgentHandlers, never, R>
): Layer.Layer<AgentServer, ListenFailed, R | Certificates> =>
  Layer.effect(
    AgentServer,
    Effect.gen(function* () {
      const health = yield* ServerHealth.make([AgentService.typeName, formerName])
      const offers = [GrpcServer.offer(AgentService, yield* handlers), GrpcServer.offer(Health, health.handlers)]
      const { port } = yield* GrpcServer.serve(
        {
          host: options.host,
          port: options.port,
          receivedBytes: limits.requestBytes + envelopeBytes,
          sentBytes: options.maxAnswerBytes + envelopeBytes,
          drainMs: options.drainMs
        },
        options.reflection ? [...offers, ...Reflection.offers(offers)] : offers,
        [yield* CallRecord.interceptor],
        health.end
      )
      return { port, isServing: health.isServing }
    })
  )
