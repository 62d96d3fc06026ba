import { create, toBinary } from "@bufbuild/protobuf"
import { AnySchema } from "@bufbuild/protobuf/wkt"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { noUsage } from "#domain/HeldContainer"
import * as Version1 from "#layers/containerd/generated/containerd/cgroups_v1_pb"
import * as Version2 from "#layers/containerd/generated/containerd/cgroups_v2_pb"
import * as TaskMetrics from "#layers/containerd/TaskMetrics"

const any = (typeUrl: string, value: Uint8Array) => create(AnySchema, { typeUrl, value })
const mebibytes = (count: number): bigint => BigInt(count * 1_048_576)

const version1 = toBinary(
  Version1.MetricsSchema,
  create(Version1.MetricsSchema, {
    cpu: { usage: { total: 1_234_567n } },
    // The greatest limit there is does not fit a number of JavaScript, and is nobody's.
    memory: { usage: { usage: mebibytes(20), limit: 9_223_372_036_854_771_712n }, totalInactiveFile: mebibytes(5) },
    memoryOomControl: { oomKill: 1n }
  })
)

const version2 = toBinary(
  Version2.MetricsSchema,
  create(Version2.MetricsSchema, {
    cpu: { usageUsec: 1_234n },
    memory: { usage: mebibytes(20), inactiveFile: mebibytes(5) },
    memoryEvents: { oom: 3n, oomKill: 2n }
  })
)

describe("metrics of a task", () => {
  it("are the same of either version of control groups", () => {
    assert.deepStrictEqual(
      TaskMetrics.read(any("io.containerd.cgroups.v1.Metrics", version1)),
      Result.succeed({
        memoryBytes: 15 * 1_048_576,
        oomEvents: 1,
        cpuNanoseconds: 1_234_567
      })
    )
    assert.deepStrictEqual(
      TaskMetrics.read(any("io.containerd.cgroups.v2.Metrics", version2)),
      Result.succeed({
        memoryBytes: 15 * 1_048_576,
        oomEvents: 2,
        cpuNanoseconds: 1_234_000
      })
    )
  })

  it("are nothing where a runtime counts nothing, and never less than nothing", () => {
    assert.deepStrictEqual(
      TaskMetrics.read(any("io.containerd.cgroups.v1.Metrics", new Uint8Array())),
      Result.succeed(noUsage)
    )
    const inactive = create(Version2.MetricsSchema, { memory: { usage: 1n, inactiveFile: 2n } })
    const read = TaskMetrics.read(any("io.containerd.cgroups.v2.Metrics", toBinary(Version2.MetricsSchema, inactive)))
    assert.deepStrictEqual(read, Result.succeed(noUsage))
  })

  it("of another kind, or broken, are told by their name", () => {
    for (const [typeUrl, value] of [
      ["io.containerd.cgroups.v3.Metrics", version2],
      ["io.containerd.cgroups.v1.Metrics", new Uint8Array([0xff])]
    ] as const) {
      const failure = Result.getOrThrow(Result.flip(TaskMetrics.read(any(typeUrl, value))))
      assert.include(failure, typeUrl)
    }
  })
})
