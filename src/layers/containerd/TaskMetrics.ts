/** What containerd says that a container uses, as the kernel's control groups of either version count it. */
import { fromBinary } from "@bufbuild/protobuf"
import { type Any, anyIs } from "@bufbuild/protobuf/wkt"
import { Result } from "effect"
import type { ContainerUsage } from "#domain/HeldContainer"
import { type Metrics as Metrics1, MetricsSchema as Metrics1Schema } from "./generated/containerd/cgroups_v1_pb.ts"
import { type Metrics as Metrics2, MetricsSchema as Metrics2Schema } from "./generated/containerd/cgroups_v2_pb.ts"

/** Pages of files that nobody has used for a while are the kernel's to take back, and do not count. */
const used = (bytes: bigint = 0n, inactive: bigint = 0n): number => Math.max(0, Number(bytes - inactive))

const ofVersion1 = ({ cpu, memory, memoryOomControl }: Metrics1): ContainerUsage => ({
  memoryBytes: used(memory?.usage?.usage, memory?.totalInactiveFile),
  oomEvents: Number(memoryOomControl?.oomKill ?? 0n),
  cpuNanoseconds: Number(cpu?.usage?.total ?? 0n)
})

const ofVersion2 = ({ cpu, memory, memoryEvents }: Metrics2): ContainerUsage => ({
  memoryBytes: used(memory?.usage, memory?.inactiveFile),
  oomEvents: Number(memoryEvents?.oomKill ?? 0n),
  cpuNanoseconds: Number(cpu?.usageUsec ?? 0n) * 1_000
})

/** Fails with what is wrong, in words. */
export const read = (data: Any): Result.Result<ContainerUsage, string> => {
  const decode = (): ContainerUsage | undefined => {
    if (anyIs(data, Metrics1Schema)) return ofVersion1(fromBinary(Metrics1Schema, data.value))
    if (anyIs(data, Metrics2Schema)) return ofVersion2(fromBinary(Metrics2Schema, data.value))
    return undefined
  }
  return Result.try({
    try: decode,
    catch: (cause) => `metrics of the kind ${data.typeUrl} cannot be read: ${String(cause)}`
  }).pipe(
    Result.flatMap((usage) =>
      usage === undefined
        ? Result.fail(`metrics of the kind ${JSON.stringify(data.typeUrl)} are not understood`)
        : Result.succeed(usage)
    )
  )
}
