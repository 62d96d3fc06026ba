/**
 * What is kept of every call: one line in the log when it has ended, and the figures of go-grpc-prometheus, under its names, so
 * that the dashboards made for those fit.
 */
import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status
} from "@grpc/grpc-js"
import { Clock, Effect, Metric, Result } from "effect"
import type { Arrived } from "./ServedMethod.ts"

/** Status codes as go-grpc-prometheus spells them. */
const codeNames: Readonly<Record<number, string>> = {
  [status.OK]: "OK",
  [status.CANCELLED]: "Canceled",
  [status.UNKNOWN]: "Unknown",
  [status.INVALID_ARGUMENT]: "InvalidArgument",
  [status.DEADLINE_EXCEEDED]: "DeadlineExceeded",
  [status.NOT_FOUND]: "NotFound",
  [status.ALREADY_EXISTS]: "AlreadyExists",
  [status.PERMISSION_DENIED]: "PermissionDenied",
  [status.RESOURCE_EXHAUSTED]: "ResourceExhausted",
  [status.FAILED_PRECONDITION]: "FailedPrecondition",
  [status.ABORTED]: "Aborted",
  [status.OUT_OF_RANGE]: "OutOfRange",
  [status.UNIMPLEMENTED]: "Unimplemented",
  [status.INTERNAL]: "Internal",
  [status.UNAVAILABLE]: "Unavailable",
  [status.DATA_LOSS]: "DataLoss",
  [status.UNAUTHENTICATED]: "Unauthenticated"
}

const counter = (name: string, description: string) =>
  Metric.counter(`grpc_server_${name}_total`, { description, incremental: true })

const started = counter("started", "Calls that began.")
const handled = counter("handled", "Calls that ended, by their status.")
const received = counter("msg_received", "Messages that arrived.")
const sent = counter("msg_sent", "Messages that were sent.")
const seconds = Metric.histogram("grpc_server_handling_seconds", {
  description: "Seconds from the begin of a call to its end.",
  boundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
})

type Definition = Parameters<ServerInterceptor>[0]

const typeOf = ({ requestStream, responseStream }: Definition): string => {
  if (requestStream) return responseStream ? "bidi_stream" : "client_stream"
  return responseStream ? "server_stream" : "unary"
}

/** `/esb.agent.v1.AgentService/ListContainers` */
const namesIn = (path: string): { readonly service: string; readonly method: string } => {
  const [, service = "", method = ""] = path.split("/")
  return { service, method }
}

/** Whose call it is, where a message says so. */
const ownerIn = (arrived: Arrived): string | undefined => {
  if (Result.isFailure(arrived) || !("ownerId" in arrived.success)) return undefined
  const { ownerId } = arrived.success
  return typeof ownerId === "string" ? ownerId.trim() : undefined
}

/** Calls that are no news, as health checks and the list that a Gateway asks for every second: their lines are for debugging. */
const isChatter = (service: string, method: string, code: string): boolean =>
  service.startsWith("grpc.") || (method === "ListContainers" && code === "OK")

/** The interceptor that records the calls of a server. It must be the server's first: see {@link listenForStatus}. */
export const interceptor: Effect.Effect<ServerInterceptor> = Effect.gen(function* () {
  const context = yield* Effect.context<never>()
  const clock = yield* Clock.Clock
  const run = Effect.runSyncWith(context)

  /** The figures of one method. */
  const figuresOf = (definition: Definition) => {
    const { method, service } = namesIn(definition.path)
    const labels = { grpc_type: typeOf(definition), grpc_service: service, grpc_method: method }
    const count = (metric: typeof started) => {
      const labelled = Metric.withAttributes(metric, labels)
      return () => labelled.updateUnsafe(1, context)
    }
    const byCode = new Map<string, () => void>()
    const countHandled = (code: string): void => {
      const known = byCode.get(code)
      if (known !== undefined) return known()
      const labelled = Metric.withAttributes(handled, { ...labels, grpc_code: code })
      byCode.set(code, () => labelled.updateUnsafe(1, context))
      labelled.updateUnsafe(1, context)
    }
    const labelledSeconds = Metric.withAttributes(seconds, labels)
    return {
      service,
      method,
      began: count(started),
      received: count(received),
      sent: count(sent),
      ended: (code: string, durationMs: number): void => {
        countHandled(code)
        labelledSeconds.updateUnsafe(durationMs / 1_000, context)
      }
    }
  }
  const figures = new Map<string, ReturnType<typeof figuresOf>>()

  const begin = (definition: Definition, peer: string) => {
    const of = figures.get(definition.path) ?? figuresOf(definition)
    figures.set(definition.path, of)
    const startedAt = clock.monotonicTimeNanosUnsafe()
    let owner: string | undefined
    let isOpen = true
    of.began()
    return {
      received: (message: Arrived): void => {
        owner ??= ownerIn(message)
        of.received()
      },
      sent: of.sent,
      /** Only the first end counts. */
      end: (code: number): void => {
        if (!isOpen) return
        isOpen = false
        const name = codeNames[code] ?? String(code)
        const durationMs = Number(clock.monotonicTimeNanosUnsafe() - startedAt) / 1_000_000
        of.ended(name, durationMs)
        const log = isChatter(of.service, of.method, name) ? Effect.logDebug : Effect.logInfo
        const rounded = Math.round(durationMs * 1_000) / 1_000
        const told = {
          method: of.method,
          code: name,
          durationMs: rounded,
          ...(owner === undefined ? {} : { owner }),
          peer
        }
        run(Effect.annotateLogs(log("call ended"), told))
      }
    }
  }

  /** What grpc-js answers by itself (a deadline, a message that is too large) it says to its own, innermost call alone. */
  const listenForStatus = (call: ServerInterceptingCallInterface, end: (code: number) => void): void => {
    const send = call.sendStatus.bind(call)
    call.sendStatus = (given) => {
      end(given.code ?? status.UNKNOWN)
      send(given)
    }
  }

  return (definition, call) => {
    const record = begin(definition, call.getPeer())
    listenForStatus(call, record.end)
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMessage: (message, pass) => {
            record.received(message)
            pass(message)
          },
          onCancel: () => record.end(status.CANCELLED)
        }),
      sendMessage: (message, pass) => {
        record.sent()
        pass(message)
      }
    })
  }
})
