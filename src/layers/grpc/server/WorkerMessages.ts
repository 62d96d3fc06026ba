/** Workers as an Agent's answers tell them. */
import type { MessageInitShape } from "@bufbuild/protobuf"
import type { ContainerMetrics, ContainerState, Worker } from "#domain/Worker"
import type { ContainerMetricsSchema, ContainerStateSchema, WorkerInfoSchema } from "../generated/agent_pb.ts"

/** Where calls of a worker are sent. */
export type Address = Worker["address"]

/** Counters are whole and never negative, whatever an engine measured. */
const unsigned = (value: number): bigint => BigInt(Math.max(0, Math.trunc(value)))

export const workerInfo = (worker: Worker, { host, port }: Address) =>
  ({
    id: worker.id,
    name: worker.name,
    ipAddress: host,
    port,
    protocol: worker.protocol
  }) satisfies MessageInitShape<typeof WorkerInfoSchema>

export const containerState = (state: ContainerState, { host, port }: Address) =>
  ({
    containerId: state.id,
    functionName: state.functionName,
    status: state.status,
    lastUsedAt: unsigned(state.lastUsedAtUnixSeconds),
    containerName: state.name,
    createdAt: unsigned(state.createdAtUnixSeconds),
    ownerId: state.owner,
    specHash: state.specHash,
    ipAddress: host,
    port,
    phase: state.phase,
    protocol: state.protocol
  }) satisfies MessageInitShape<typeof ContainerStateSchema>

export const containerMetrics = (metrics: ContainerMetrics) =>
  ({
    containerId: metrics.containerId,
    functionName: metrics.functionName,
    containerName: metrics.containerName,
    state: metrics.status,
    memoryCurrent: unsigned(metrics.memoryBytes),
    memoryMax: unsigned(metrics.memoryLimitBytes),
    oomEvents: unsigned(metrics.oomEvents),
    cpuUsageNs: unsigned(metrics.cpuNanoseconds),
    exitCode: Math.max(0, Math.trunc(metrics.exitCode)),
    exitTime: unsigned(metrics.exitedAtUnixSeconds),
    collectedAt: unsigned(metrics.collectedAtUnixSeconds)
  }) satisfies MessageInitShape<typeof ContainerMetricsSchema>
