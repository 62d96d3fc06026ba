/**
 * The engine of one or several Agents. What cannot be known because an Agent does not answer is `RuntimeUnavailable`; workers
 * on the others are not touched by it.
 */
import { Clock, Effect, Exit, Fiber, Layer, Option, Result } from "effect"
import { ContainerNotFound, type NotOwner, RuntimeUnavailable } from "#domain/Failure"
import type { ContainerId, OwnerId, Worker, WorkerSpec } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { type AgentFailure, type AgentUnreachable, ofStart, ofWorker } from "./AgentFailure.ts"
import type { AgentLink } from "./AgentLink.ts"
import { Agents } from "./Agents.ts"
import { AgentService } from "../generated/agent_pb.ts"
import * as WireWorker from "./WireWorker.ts"

type Refused = ContainerNotFound | NotOwner | RuntimeUnavailable

const { destroyContainer, ensureContainer, getContainerMetrics, pauseContainer, resumeContainer } = AgentService.method

/**
 * How long the Agent is heard out whose start nobody wants any more, before the start is cancelled: an answer that crosses with a
 * cancellation would leave a worker behind that nobody knows of.
 */
const takeBackMs = 1_000

const none = (functionName: string, unreachable: ReadonlyArray<AgentUnreachable>) =>
  new RuntimeUnavailable({
    functionName,
    detail: unreachable.length === 0 ? "no Agent is configured" : unreachable.map(({ message }) => message).join("; ")
  })

export const layer: Layer.Layer<ContainerRuntime, never, Agents> = Layer.effect(
  ContainerRuntime,
  Effect.gen(function* () {
    const { agentOf, all, choose, deadlines, held, list: listOn, owner: ourselves, starting } = yield* Agents

    const start = Effect.fnUntraced(function* (agent: AgentLink, spec: WorkerSpec, owner: OwnerId) {
      const { environment: env, functionName, image, specHash } = spec
      const request = { functionName, image, env, ownerId: owner, specHash }
      const info = yield* agent.call(ensureContainer, request, deadlines.ensure)
      const createdAtUnixSeconds = Math.floor((yield* Clock.currentTimeMillis) / 1_000)
      const worker = yield* WireWorker.started(agent.address, info, spec, owner, createdAtUnixSeconds)
      held.started(worker.id, owner, agent)
      held.reachedAt(agent, worker)
      return worker
    })

    /** A worker that was started for nobody is destroyed. What fails here is found by the sweep of the pool. */
    const takeBack = Effect.fnUntraced(function* (started: Fiber.Fiber<Worker, unknown>) {
      const exit = yield* Effect.timeoutOption(Fiber.await(started), takeBackMs)
      if (Option.isNone(exit)) yield* Fiber.interrupt(started)
      else if (Exit.isSuccess(exit.value)) yield* Effect.ignore(destroy(exit.value.value.id, exit.value.value.owner))
    })

    const startOrTakeBack = (agent: AgentLink, spec: WorkerSpec, owner: OwnerId) =>
      Effect.uninterruptibleMask(
        Effect.fnUntraced(function* (restore) {
          const started = yield* Effect.forkChild(Effect.interruptible(start(agent, spec, owner)))
          return yield* Effect.onInterrupt(restore(Fiber.join(started)), () => takeBack(started))
        })
      )

    /** The next Agent is tried only where nothing was sent: whoever got the request may have started a worker. */
    const ensure = Effect.fn("ContainerRuntime.ensure")(function* (spec: WorkerSpec, owner: OwnerId) {
      const unreachable: Array<AgentUnreachable> = []
      for (const agent of choose()) {
        const tried = yield* Effect.result(starting(agent, startOrTakeBack(agent, spec, owner)))
        if (Result.isSuccess(tried)) return tried.success
        const failure = tried.failure
        if (failure._tag === "RuntimeUnavailable") return yield* failure
        if (failure._tag === "AgentRefusal") return yield* ofStart(spec.functionName)(failure)
        unreachable.push(failure)
      }
      return yield* none(spec.functionName, unreachable)
    })

    const told = <A>(id: ContainerId, call: Effect.Effect<A, AgentFailure>): Effect.Effect<A, Refused> =>
      Effect.mapError(call, ofWorker(id))

    /** Asks the Agent that holds the worker; while nobody knows which, one after the other until one knows it. */
    const where = Effect.fnUntraced(function* <A>(
      id: ContainerId,
      ask: (agent: AgentLink) => Effect.Effect<A, Refused>
    ) {
      const agent = agentOf(id)
      if (agent !== undefined) {
        return yield* Effect.tapError(ask(agent), (failure) =>
          Effect.sync(() => {
            if (failure._tag === "ContainerNotFound") held.ended(id)
          })
        )
      }
      let unavailable: RuntimeUnavailable | undefined
      for (const agent of all) {
        const asked = yield* Effect.result(ask(agent))
        if (Result.isSuccess(asked)) return asked.success
        if (asked.failure._tag === "NotOwner") return yield* asked.failure
        if (asked.failure._tag === "RuntimeUnavailable") unavailable ??= asked.failure
      }
      return yield* unavailable ?? new ContainerNotFound({ containerId: id })
    })

    const destroyOn = (agent: AgentLink, id: ContainerId, owner: OwnerId) =>
      told(id, agent.call(destroyContainer, { containerId: id, ownerId: owner }, deadlines.destroy)).pipe(
        Effect.catchTag("ContainerNotFound", () => Effect.void)
      )

    /** That an Agent does not have it says nothing of the others: while nobody knows where it is, all of them must have let it go. */
    const destroy = Effect.fnUntraced(function* (id: ContainerId, owner: OwnerId) {
      const agent = agentOf(id)
      yield* Effect.forEach(agent === undefined ? all : [agent], (agent) => destroyOn(agent, id, owner), {
        concurrency: "unbounded",
        discard: true
      })
      held.ended(id)
    })

    const resume = (id: ContainerId, owner: OwnerId) =>
      where(id, (agent) =>
        Effect.asVoid(told(id, agent.call(resumeContainer, { containerId: id, ownerId: owner }, deadlines.resume)))
      )

    /** What the Agents that answer have. Of the others nothing is known, and nothing of theirs is in the list: fails when none answers. */
    const list = Effect.fnUntraced(function* (owner: OwnerId) {
      const asked = yield* Effect.forEach(all, (agent) => Effect.result(listOn(agent, owner, deadlines.list)), {
        concurrency: "unbounded"
      })
      const failures = asked.flatMap((result) => (Result.isFailure(result) ? [result.failure] : []))
      const [first] = failures
      if (first !== undefined && failures.length === all.length) return yield* first
      yield* Effect.forEach(failures, (failure) => Effect.logWarning(`The list lacks workers: ${failure.message}`))
      return asked.flatMap((result) => (Result.isSuccess(result) ? result.success : []))
    })

    return ContainerRuntime.of({
      ensure,
      destroy,
      suspend: (id, owner) =>
        where(id, (agent) =>
          Effect.asVoid(told(id, agent.call(pauseContainer, { containerId: id, ownerId: owner }, deadlines.pause)))
        ),
      resume,
      list,
      metrics: (id, owner) =>
        where(
          id,
          Effect.fnUntraced(function* (agent) {
            const call = agent.call(getContainerMetrics, { containerId: id, ownerId: owner }, deadlines.metrics)
            return yield* WireWorker.metrics(agent.address, (yield* told(id, call)).metrics)
          })
        ),
      touch: resume,
      isReachable: () => all.some((agent) => agent.isReachable()),
      // Whose owners are gone only the Agent knows, which collects their workers by itself.
      gc: Effect.fnUntraced(function* () {
        const stopped = (yield* list(ourselves)).filter(({ status }) => status === "STOPPED")
        yield* Effect.forEach(stopped, ({ id }) => Effect.catchTag(destroy(id, ourselves), "NotOwner", Effect.die), {
          concurrency: "unbounded",
          discard: true
        })
        return stopped.length
      })
    })
  })
)
