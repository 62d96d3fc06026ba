/**
 * Workers as an Agent's messages tell of them. An Agent of another implementation may leave every field empty that was added
 * later; one that is newer may have words for states that nobody here knows.
 */
import { Effect, Schema } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import { FunctionName } from "#domain/FunctionName"
import {
  ContainerId,
  type ContainerMetrics,
  type ContainerState,
  ContainerStatus,
  OwnerId,
  Phase,
  Protocol,
  type Worker,
  type WorkerSpec
} from "#domain/Worker"

const Port = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))
const SpokenProtocol = Schema.Union([Schema.Literal(""), Protocol])

const Info = Schema.Struct({
  id: ContainerId,
  name: Schema.String,
  ipAddress: Schema.String,
  port: Port,
  protocol: SpokenProtocol
})

const State = Schema.Struct({
  containerId: ContainerId,
  functionName: FunctionName,
  containerName: Schema.String,
  ownerId: OwnerId,
  status: Schema.String,
  phase: Schema.String,
  specHash: Schema.String,
  ipAddress: Schema.String,
  port: Port,
  protocol: SpokenProtocol,
  lastUsedAt: Schema.BigInt,
  createdAt: Schema.BigInt
})

const Metrics = Schema.Struct({
  containerId: ContainerId,
  functionName: FunctionName,
  containerName: Schema.String,
  state: Schema.String,
  memoryCurrent: Schema.BigInt,
  memoryMax: Schema.BigInt,
  oomEvents: Schema.BigInt,
  cpuUsageNs: Schema.BigInt,
  exitCode: Schema.Int,
  exitTime: Schema.BigInt,
  collectedAt: Schema.BigInt
})

const decodeInfo = Schema.decodeUnknownEffect(Info)
const decodeStates = Schema.decodeUnknownEffect(Schema.Array(State))
const decodeMetrics = Schema.decodeUnknownEffect(Metrics)
const isStatus = Schema.is(ContainerStatus)
const isPhase = Schema.is(Phase)

/** What the contract does not allow is the Agent's fault, and told with its address. */
const wrong =
  (address: string) =>
  (cause: Schema.SchemaError): RuntimeUnavailable =>
    new RuntimeUnavailable({ detail: `Agent ${address} answered what makes no sense: ${cause.message}`, cause })

const statusOf = (text: string): ContainerStatus => (isStatus(text) ? text : "UNKNOWN")

/** Where only the engine speaks: whatever runs may be called. */
const phaseByStatus: Readonly<Record<ContainerStatus, Phase>> = {
  RUNNING: "idle",
  PAUSED: "idle",
  STOPPED: "dirty",
  UNKNOWN: "init"
}

const protocolOf = (text: Protocol | ""): Protocol => (text === "" ? "rie" : text)

/** A worker that was started now, for this specification. */
export const started = (
  address: string,
  info: unknown,
  spec: WorkerSpec,
  owner: OwnerId,
  createdAtUnixSeconds: number
): Effect.Effect<Worker, RuntimeUnavailable> =>
  decodeInfo(info).pipe(
    Effect.map(({ id, ipAddress, name, port, protocol }) => ({
      id,
      name: name === "" ? id : name,
      functionName: spec.functionName,
      owner,
      specHash: spec.specHash,
      protocol: protocolOf(protocol),
      address: { host: ipAddress, port },
      createdAtUnixSeconds
    })),
    Effect.mapError(wrong(address))
  )

const stateOf = (state: typeof State.Type): ContainerState => {
  const status = statusOf(state.status)
  return {
    id: state.containerId,
    name: state.containerName === "" ? state.containerId : state.containerName,
    functionName: state.functionName,
    owner: state.ownerId,
    specHash: state.specHash,
    protocol: protocolOf(state.protocol),
    address: { host: state.ipAddress, port: state.port },
    createdAtUnixSeconds: Number(state.createdAt),
    status,
    phase: isPhase(state.phase) ? state.phase : phaseByStatus[status],
    lastUsedAtUnixSeconds: Number(state.lastUsedAt)
  }
}

export const states = (
  address: string,
  containers: unknown
): Effect.Effect<ReadonlyArray<ContainerState>, RuntimeUnavailable> =>
  decodeStates(containers).pipe(
    Effect.map((decoded) => decoded.map(stateOf)),
    Effect.mapError(wrong(address))
  )

export const metrics = (address: string, measured: unknown): Effect.Effect<ContainerMetrics, RuntimeUnavailable> =>
  decodeMetrics(measured).pipe(
    Effect.map((decoded) => ({
      containerId: decoded.containerId,
      functionName: decoded.functionName,
      containerName: decoded.containerName,
      status: statusOf(decoded.state),
      memoryBytes: Number(decoded.memoryCurrent),
      memoryLimitBytes: Number(decoded.memoryMax),
      oomEvents: Number(decoded.oomEvents),
      cpuNanoseconds: Number(decoded.cpuUsageNs),
      exitCode: decoded.exitCode,
      exitedAtUnixSeconds: Number(decoded.exitTime),
      collectedAtUnixSeconds: Number(decoded.collectedAt)
    })),
    Effect.mapError(wrong(address))
  )
