/**
 * The network of the workers, made when it is missing: a bridge on which no container reaches another. One that is made here
 * goes with the scope; one that was there before stays.
 */
import type { NetworkInspectInfo } from "dockerode"
import { Context, Effect, Layer } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import { DockerApi, type EngineFailure, hasStatus } from "./DockerApi.ts"

export class WorkersNetwork extends Context.Service<
  WorkersNetwork,
  {
    readonly name: string
    /** The engine's own address in it, which is this machine as workers see it. */
    readonly gateway: string
  }
>()("esb/layers/docker/WorkersNetwork") {}

/** The engine's name for traffic between the containers of a bridge. */
const betweenContainers = "com.docker.network.bridge.enable_icc"

const make = Effect.fnUntraced(function* (name: string) {
  const { call, engine } = yield* DockerApi
  const network = engine.getNetwork(name)
  const unavailable = (failure: EngineFailure) =>
    new RuntimeUnavailable({ detail: `network ${name} of the workers: ${failure.message}`, cause: failure })

  const inspect = call((): Promise<NetworkInspectInfo> => network.inspect())
  const create = call((abortSignal) =>
    engine.createNetwork({
      Name: name,
      Driver: "bridge",
      CheckDuplicate: true,
      Options: { [betweenContainers]: "false" },
      abortSignal
    })
  ).pipe(
    Effect.as(true),
    // Somebody else was faster, and theirs will do.
    Effect.catchIf(hasStatus(409), () => Effect.succeed(false))
  )
  // A network that still has containers of somebody else's is theirs now.
  const remove = Effect.ignore(
    call(() => network.remove()),
    { log: "Debug" }
  )

  const ensure = inspect.pipe(
    Effect.as(false),
    Effect.catchIf(hasStatus(404), () => create)
  )
  yield* Effect.acquireRelease(Effect.mapError(ensure, unavailable), (isOurs) => (isOurs ? remove : Effect.void))
  const { IPAM, Options } = yield* Effect.mapError(inspect, unavailable)
  if (Options?.[betweenContainers] !== "false") {
    yield* Effect.logWarning(
      `Workers in the network ${name} can reach each other: it was made without ${betweenContainers}=false`
    )
  }
  const gateway = IPAM?.Config?.find(({ Gateway }) => Gateway !== undefined && Gateway !== "")?.["Gateway"]
  if (gateway === undefined) {
    return yield* new RuntimeUnavailable({ detail: `network ${name} of the workers has no gateway address` })
  }
  return WorkersNetwork.of({ name, gateway })
})

export const layer = (name: string): Layer.Layer<WorkersNetwork, RuntimeUnavailable, DockerApi> =>
  Layer.effect(WorkersNetwork, make(name))
