/** An Agent in this process, on a port of its own, whose workers are values. What it logs and counts is kept. */
import { Cause, Effect, Layer, Logger, Metric, References } from "effect"
import * as AgentServer from "#layers/grpc/server/AgentServer"
import * as KnownWorkers from "#layers/grpc/KnownWorkers"
import * as OwnerLeases from "#layers/grpc/OwnerLeases"
import * as MemoryContainerRuntime from "#layers/memory/MemoryContainerRuntime"
import * as MemoryWorkerClient from "#layers/memory/MemoryWorkerClient"
import * as MemoryWorkers from "#layers/memory/MemoryWorkers"
import * as NoCertificates from "#layers/x509/NoCertificates"
import * as Handlers from "#programs/agent/Handlers"
import type { Certificates } from "#services/Certificates"
import { ContainerRuntime } from "#services/ContainerRuntime"

/** A line of the Agent's log. */
export interface Line {
  readonly level: string
  readonly message: string
  readonly annotations: Readonly<Record<string, unknown>>
  /** Empty: there was none. */
  readonly cause: string
}

/** How the calls of a method ended, in the words of the log. */
export const codesOf = (lines: ReadonlyArray<Line>, method: string) =>
  lines.flatMap(({ annotations }) => (annotations["method"] === method ? [annotations["code"]] : []))

type Engine = ContainerRuntime["Service"]

export interface MemoryAgentOptions {
  readonly functions?: Readonly<Record<string, MemoryWorkers.MemoryFunction>>
  readonly maxAnswerBytes?: number
  readonly drainMs?: number
  readonly reflection?: boolean
  readonly dataHost?: string
  /** Without them nothing is encrypted and nobody checked. */
  readonly certificates?: Layer.Layer<Certificates>
  /** What an engine of another kind would do otherwise. */
  readonly engine?: (memory: Engine) => Engine
}

export const dataPort = 50_052

export const make = (options: MemoryAgentOptions = {}) => {
  const lines: Array<Line> = []
  const logger = Logger.make<unknown, void>(({ cause, fiber, logLevel, message }) => {
    lines.push({
      level: logLevel,
      message: String(message),
      annotations: fiber.getRef(References.CurrentLogAnnotations),
      cause: cause.reasons.length === 0 ? "" : Cause.pretty(cause)
    })
  })
  const maxAnswerBytes = options.maxAnswerBytes ?? 65_536
  const handlers = Handlers.make({ dataDoor: { host: options.dataHost, port: dataPort }, maxAnswerBytes })
  const server = AgentServer.layer(
    {
      host: "127.0.0.1",
      port: 0,
      reflection: options.reflection ?? false,
      maxAnswerBytes,
      drainMs: options.drainMs ?? 1_000
    },
    handlers
  )
  const engine = Layer.effect(ContainerRuntime, Effect.map(ContainerRuntime, options.engine ?? ((memory) => memory)))
  const workers = Layer.mergeAll(
    engine.pipe(Layer.provide(MemoryContainerRuntime.layer())),
    MemoryWorkerClient.layer
  ).pipe(Layer.provideMerge(MemoryWorkers.layer(options.functions ?? {})))
  const layer = server.pipe(
    Layer.provideMerge(KnownWorkers.layer),
    Layer.provideMerge(OwnerLeases.layer({ leaseMs: 600_000 })),
    Layer.provideMerge(workers),
    Layer.provide(options.certificates ?? NoCertificates.layer),
    Layer.provideMerge(
      Layer.mergeAll(
        Logger.layer([logger]),
        Layer.succeed(References.MinimumLogLevel, "Debug"),
        Layer.succeed(Metric.MetricRegistry, new Map())
      )
    )
  )
  return { lines, layer }
}

/** An engine whose every worker has an emulator in it, at this address. */
export const ofEmulators = (memory: Engine, host: string): Engine => {
  const emulated = <W extends object>(worker: W) => ({
    ...worker,
    protocol: "rie" as const,
    address: { host, port: 8_080 }
  })
  return {
    ...memory,
    ensure: (spec, owner) => Effect.map(memory.ensure(spec, owner), emulated),
    list: (owner) => Effect.map(memory.list(owner), (states) => states.map(emulated))
  }
}
