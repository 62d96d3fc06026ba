/**
 * An Agent's data door in this process with a worker whose runtime the test plays, and a Gateway's client in front of it. In the
 * clear, or with certificates of an authority of its own.
 */
import { Context, Duration, Effect, Exit, Layer, References, Scope, Stream } from "effect"
import { randomUUID } from "node:crypto"
import { request as sendRequest } from "node:http"
import { connect as connectPlain, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import { ContainerNotFound, NotOwner } from "#domain/Failure"
import { ContainerId, OwnerId, type Worker } from "#domain/Worker"
import type { DoorLimits } from "#layers/grpc/door/AgentDoor"
import { AgentWatch } from "#layers/grpc/client/AgentWatch"
import * as DataDoor from "#layers/grpc/door/DataDoor"
import * as ForwardedLog from "#layers/grpc/log/ForwardedLog"
import * as HttpWorkerClient from "#layers/grpc/door/HttpWorkerClient"
import * as KnownWorkers from "#layers/grpc/KnownWorkers"
import type { RingLimits } from "#layers/grpc/log/LogRing"
import * as OwnerLeases from "#layers/grpc/OwnerLeases"
import { connectionTo } from "#layers/grpc/peer/PeerCredentials"
import * as MemoryContainerRuntime from "#layers/memory/MemoryContainerRuntime"
import * as MemoryWorkers from "#layers/memory/MemoryWorkers"
import type { DoorSettings } from "#layers/runtime-api/DoorSettings"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import * as LocalWorkerClient from "#layers/runtime-api/LocalWorkerClient"
import * as CertificateAuthority from "#layers/x509/CertificateAuthority"
import * as Leaves from "#layers/x509/Leaves"
import { type CertificateBundle, Certificates } from "#services/Certificates"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { LogSink } from "#services/LogSink"
import { RuntimeApi } from "#services/RuntimeApi"
import { WorkerClient } from "#services/WorkerClient"
import * as OpenDoor from "./OpenDoor.ts"
import * as RawRuntime from "./RawRuntime.ts"
import * as Wire from "./Wire.ts"

export const mine = OwnerId.make("gateway-mine")
export const theirs = OwnerId.make("gateway-theirs")

export interface Options {
  readonly tls?: boolean
  /** Nothing between the client and the data door: a wire would hide how much each takes at a time. */
  readonly wireless?: boolean
  readonly timeoutMs?: number
  readonly runtimeApi?: Partial<DoorSettings>
  readonly door?: DataDoor.Options["limits"]
  readonly client?: Partial<DoorLimits>
  readonly log?: Partial<RingLimits>
  readonly drainMs?: number
  /** At once, unless it is given. */
  readonly resume?: Resume
}

export const certificatesOf = (current: CertificateBundle | undefined) =>
  Layer.succeed(Certificates, Certificates.of({ current: () => current, changes: Stream.empty }))

/** Of both sides, each for a day. */
const issue = Effect.gen(function* () {
  const now = Date.now()
  const period = { from: new Date(now - 60_000), to: new Date(now + 86_400_000) }
  const authority = yield* CertificateAuthority.make("a test's", period)
  const bundle = (leaf: CertificateAuthority.Leaf) =>
    Effect.map(CertificateAuthority.issue(authority, leaf, period), (issued) => ({
      ...issued,
      authority: authority.certificate
    }))
  return { agentBundle: yield* bundle(Leaves.server([])), gatewayBundle: yield* bundle(Leaves.gateway) }
})

/** Certificates of both sides; without any they speak in the clear. */
export interface Certified {
  readonly agentBundle: CertificateBundle | undefined
  readonly gatewayBundle: CertificateBundle | undefined
}

const inTheClear: Certified = { agentBundle: undefined, gatewayBundle: undefined }

/** How the engine wakes a worker. */
type Resume = (id: ContainerId) => ReturnType<ContainerRuntime["Service"]["resume"]>

/** What the Agent says to its engine, and of whom. */
interface Noted {
  readonly touched: Array<ContainerId>
  readonly resumed: Array<ContainerId>
  readonly seen: Array<OwnerId>
  readonly owners: Map<ContainerId, OwnerId>
}

/** An engine without workers of its own, which knows whose the test's are. */
const engine = ({ owners, resumed, touched }: Noted, resume: Resume = () => Effect.void) =>
  Layer.effect(
    ContainerRuntime,
    Effect.map(ContainerRuntime, (memory) => ({
      ...memory,
      touch: (id: ContainerId, owner: OwnerId) => {
        touched.push(id)
        const known = owners.get(id)
        if (known === undefined) return Effect.fail(new ContainerNotFound({ containerId: id }))
        return known === owner ? Effect.void : Effect.fail(new NotOwner({ containerId: id }))
      },
      resume: (id: ContainerId) =>
        Effect.andThen(
          Effect.sync(() => void resumed.push(id)),
          Effect.suspend(() => resume(id))
        )
    }))
  ).pipe(Layer.provide(MemoryContainerRuntime.layer().pipe(Layer.provide(MemoryWorkers.layer({})))))

/** Whom the Agent has heard of. */
const leases = (seen: Array<OwnerId>) =>
  Layer.succeed(OwnerLeases.OwnerLeases, { seen: (owner) => void seen.push(owner), isGone: () => false })

const agentLayer = (options: Options, bundle: CertificateBundle | undefined, noted: Noted) =>
  DataDoor.layer({
    host: "127.0.0.1",
    port: 0,
    drainTimeout: Duration.millis(options.drainMs ?? 0),
    ...(options.door === undefined ? {} : { limits: options.door })
  }).pipe(
    Layer.provideMerge(KnownWorkers.layer),
    Layer.provideMerge(leases(noted.seen)),
    Layer.provideMerge(Layer.mergeAll(engine(noted, options.resume), LocalWorkerClient.layer)),
    Layer.provideMerge(LambdaRuntimeApi.layer(options.runtimeApi)),
    Layer.provideMerge(ForwardedLog.layer(options.log)),
    Layer.provide(certificatesOf(bundle)),
    // That strangers are turned away is not what these tests are about.
    Layer.provide(Layer.succeed(References.MinimumLogLevel, "Fatal"))
  )

/** A worker of the Agent, reached by a wire to its door. */
const addWorker = Effect.fnUntraced(function* (
  agent: Context.Context<RuntimeApi | KnownWorkers.KnownWorkers>,
  port: number,
  owner: OwnerId,
  timeoutMs: number
) {
  const [api, known] = [Context.get(agent, RuntimeApi), Context.get(agent, KnownWorkers.KnownWorkers)]
  const id = ContainerId.make(`esb-test-orders-${randomUUID().slice(0, 8)}`)
  const door = yield* api.open({ ...OpenDoor.spec, containerId: id, containerName: id, owner, timeoutMs })
  door.admit("127.0.0.1")
  const runtime = RawRuntime.make(door.endpoint)
  yield* Effect.addFinalizer(() => Effect.sync(runtime.leave))
  const worker: Worker = {
    id,
    name: id,
    functionName: OpenDoor.spec.functionName,
    owner,
    specHash: "5ec",
    protocol: "runtime-api",
    address: { host: "127.0.0.1", port },
    createdAtUnixSeconds: 1_700_000_000
  }
  known.remember(worker)
  return { worker, door, runtime }
})

/** What a client of the Gateway has told its watch. */
export interface Watched {
  readonly lost: Array<ContainerId>
  readonly refreshed: Array<ContainerId>
}

export const watchLayer = ({ lost, refreshed }: Watched) =>
  Layer.succeed(AgentWatch, {
    isAlive: (id) => !lost.includes(id),
    lost: (id) => void lost.push(id),
    refresh: (id) => Effect.sync(() => void refreshed.push(id))
  })

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** One request of a client that is not ours, on a connection of its own. */
const asking =
  (connect: () => Socket) =>
  (path: string, { body = "", headers = {}, method = "GET" }: Asked = {}) =>
    Effect.promise<RawRuntime.Heard>(() => {
      const length = method === "GET" ? {} : { "content-length": String(Buffer.byteLength(body)) }
      const request = sendRequest({ path, method, headers: { ...length, ...headers }, createConnection: connect })
      request.end(body)
      return RawRuntime.heard(request)
    })

/** The end of the scope stops both sides; `stop` the Agent alone. With certificates of another bench both are one's successors. */
export const make = Effect.fnUntraced(function* (options: Options = {}, certified?: Certified) {
  const { agentBundle, gatewayBundle } = certified ?? (options.tls === true ? yield* issue : inTheClear)
  const whole = yield* Effect.scope
  const home = yield* Scope.fork(whole)
  const noted: Noted = { touched: [], resumed: [], seen: [], owners: new Map() }
  const agent = yield* Layer.buildWithScope(agentLayer(options, agentBundle, noted), home)
  const door = Context.get(agent, DataDoor.DataDoor)
  const wire = yield* Wire.make(door.port)
  const port = options.wireless === true ? door.port : Number(wire.address.split(":")[1])
  // Workers outlive the door by which they are called.
  const open = Effect.fnUntraced(function* (owner: OwnerId) {
    const added = yield* Scope.provide(addWorker(agent, port, owner, options.timeoutMs ?? 5_000), whole)
    noted.owners.set(added.worker.id, owner)
    return added
  })
  /** A connection of a Gateway that writes its own bytes. */
  const connect = (): Socket =>
    gatewayBundle === undefined
      ? connectPlain(door.port, "127.0.0.1")
      : connectTls({ ...connectionTo("127.0.0.1", gatewayBundle), port: door.port })
  const watched: Watched = { lost: [], refreshed: [] }
  const gateway = yield* Layer.build(
    HttpWorkerClient.layerWith(options.client ?? {}).pipe(
      Layer.provide([watchLayer(watched), certificatesOf(gatewayBundle)])
    )
  )
  const first = yield* open(mine)
  return {
    ...first,
    /** Another worker, of this owner. */
    open,
    dataDoor: door,
    /** Between the client and the data door. */
    wire,
    ...noted,
    watched,
    api: Context.get(agent, RuntimeApi),
    log: Context.get(agent, LogSink),
    client: Context.get(gateway, WorkerClient),
    agentBundle,
    gatewayBundle,
    connect,
    ask: asking(connect),
    stop: Scope.close(home, Exit.void)
  }
})

export type Bench = Effect.Success<ReturnType<typeof make>>

export const withBench =
  (options: Options, test: (bench: Bench) => Effect.Effect<void, unknown, Scope.Scope>) =>
  (): Effect.Effect<void, unknown> =>
    Effect.scoped(Effect.flatMap(make(options), test))
