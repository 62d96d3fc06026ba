/** What the Agent does when it is called, RPC by RPC. */
import { Effect } from "effect"
import { AnswerTooLarge, CallTimedOut, WorkerAddressUnknown } from "#domain/Failure"
import type { FunctionName } from "#domain/FunctionName"
import type { Invocation } from "#domain/Invocation"
import * as InvocationHeaders from "#domain/InvocationHeaders"
import type { Worker } from "#domain/Worker"
import type { AgentHandlers } from "#layers/grpc/server/AgentServer"
import type { Call } from "#layers/grpc/server/CallHandler"
import { KnownWorkers } from "#layers/grpc/KnownWorkers"
import { OwnerLeases } from "#layers/grpc/OwnerLeases"
import { toldAs } from "#layers/grpc/server/Refused"
import { type Address, containerMetrics, containerState, workerInfo } from "#layers/grpc/server/WorkerMessages"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as Requests from "./Requests.ts"

const done = { success: true }

export interface HandlerOptions {
  /** Where the data door is reached. Without a `host`: where the caller reached this server. */
  readonly dataDoor: { readonly host: string | undefined; readonly port: number }
  /** Bytes of the largest answer of a worker that `InvokeWorker` hands on. */
  readonly maxAnswerBytes: number
  /** The image of a function that is asked for without one; where there are no images it is refused. */
  readonly imageOf?: ((name: FunctionName) => string) | undefined
}

/** `agent` of `agent:50051`, `::1` of `[::1]:50051`. */
const hostIn = (authority: string): string => {
  const [, host = authority] = /^\[?(.*?)\]?(?::\d+)?$/.exec(authority) ?? []
  return host
}

export const make = Effect.fnUntraced(function* (options: HandlerOptions) {
  const runtime = yield* ContainerRuntime
  const client = yield* WorkerClient
  const known = yield* KnownWorkers
  const leases = yield* OwnerLeases

  /** The worker that a request names, if it is the asker's. */
  const find = Effect.fnUntraced(function* (request: Requests.Named) {
    const { id, owner } = yield* Requests.named(request)
    leases.seen(owner)
    return yield* known.find(id, owner)
  })
  const findOrRefuse = (request: Requests.Named) => toldAs("failed to refresh worker cache")(find(request))

  /** A question to the engine about a worker that it may have lost since it was heard of. */
  const ask = <A, E extends { readonly _tag: string }>(worker: Worker, question: Effect.Effect<A, E>) =>
    Effect.tapError(question, ({ _tag }) =>
      Effect.sync(() => {
        if (_tag === "ContainerNotFound") known.forget(worker.id)
      })
    )

  const addressOf = (worker: Worker, call: Call): Address =>
    worker.protocol === "rie"
      ? worker.address
      : { host: options.dataDoor.host ?? hostIn(call.authority), port: options.dataDoor.port }

  const ensureContainer: AgentHandlers["ensureContainer"] = Effect.fn("Agent.ensureContainer")(function* (
    request,
    call
  ) {
    const { owner, spec } = yield* Requests.start(request, options.imageOf)
    leases.seen(owner)
    const worker = yield* runtime.ensure(spec, owner)
    known.remember(worker)
    return workerInfo(worker, addressOf(worker, call))
  }, toldAs("failed to ensure container"))

  const destroyContainer: AgentHandlers["destroyContainer"] = Effect.fn("Agent.destroyContainer")(
    function* (request) {
      const worker = yield* find(request)
      yield* toldAs("failed to destroy container")(runtime.destroy(worker.id, worker.owner))
      known.forget(worker.id)
      return done
    },
    // Gone is gone.
    Effect.catchTag("ContainerNotFound", () => Effect.succeed(done)),
    toldAs("failed to refresh worker cache")
  )

  const pauseContainer: AgentHandlers["pauseContainer"] = Effect.fn("Agent.pauseContainer")(function* (request) {
    const worker = yield* findOrRefuse(request)
    yield* ask(worker, runtime.suspend(worker.id, worker.owner))
    return done
  }, toldAs("failed to pause container"))

  const resumeContainer: AgentHandlers["resumeContainer"] = Effect.fn("Agent.resumeContainer")(function* (request) {
    const worker = yield* findOrRefuse(request)
    yield* ask(worker, runtime.resume(worker.id, worker.owner))
    return done
  }, toldAs("failed to resume container"))

  const listContainers: AgentHandlers["listContainers"] = Effect.fn("Agent.listContainers")(function* (request, call) {
    const owner = yield* Requests.owner(request)
    leases.seen(owner)
    const states = yield* runtime.list(owner)
    return { containers: states.map((state) => containerState(state, addressOf(state, call))) }
  }, toldAs("failed to list containers"))

  const getContainerMetrics: AgentHandlers["getContainerMetrics"] = Effect.fn("Agent.getContainerMetrics")(function* (
    request
  ) {
    const worker = yield* findOrRefuse(request)
    return { metrics: containerMetrics(yield* ask(worker, runtime.metrics(worker.id, worker.owner))) }
  }, toldAs("failed to get container metrics"))

  /** One call, whole. The worker of a call that is given up here must not be called again: its client sees to that. */
  const send = Effect.fnUntraced(function* (worker: Worker, invocation: Invocation) {
    yield* ask(worker, runtime.touch(worker.id, worker.owner))
    yield* client.ready(worker)
    return yield* client.send(worker, invocation)
  })

  const invokeWorker: AgentHandlers["invokeWorker"] = Effect.fn("Agent.invokeWorker")(function* (request) {
    const worker = yield* findOrRefuse(request)
    if (worker.protocol === "rie" && worker.address.host === "") {
      return yield* new WorkerAddressUnknown({ containerId: worker.id })
    }
    const { invocation, limitMs } = yield* Requests.call(request, worker)
    const result = yield* Effect.timeoutOrElse(send(worker, invocation), {
      duration: limitMs,
      orElse: () => Effect.fail(new CallTimedOut({ limitMs }))
    })
    if (result.payload.length > options.maxAnswerBytes) {
      return yield* new AnswerTooLarge({ limitBytes: options.maxAnswerBytes })
    }
    return { statusCode: 200, headers: InvocationHeaders.ofResult(result), body: result.payload }
  }, toldAs("failed to invoke worker"))

  return {
    ensureContainer,
    destroyContainer,
    pauseContainer,
    resumeContainer,
    listContainers,
    getContainerMetrics,
    invokeWorker
  } satisfies AgentHandlers
})
