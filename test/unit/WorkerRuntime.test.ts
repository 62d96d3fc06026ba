import { assert, describe, it } from "@effect/vitest"
import { fromBinary } from "@bufbuild/protobuf"
import { status } from "@grpc/grpc-js"
import * as RuntimeName from "#domain/RuntimeName"
import { ContainerdFailure } from "#layers/containerd/ContainerdFailure"
import { OptionsSchema } from "#layers/containerd/generated/containerd/runc_options_pb"
import * as WorkerRuntime from "#layers/containerd/WorkerRuntime"

const refused = (message: string) => new ContainerdFailure({ kind: "refused", code: status.UNKNOWN, message })

describe("the runtime of workers", () => {
  it("is known to containerd by the last two parts of its name, or by a path", () => {
    assert.strictEqual(RuntimeName.shimOf("io.containerd.runc.v2"), "containerd-shim-runc-v2")
    assert.strictEqual(RuntimeName.shimOf("aws.firecracker"), "containerd-shim-aws-firecracker")
    assert.strictEqual(RuntimeName.shimOf("/opt/bin/my-shim"), "/opt/bin/my-shim")
    for (const name of ["runsc", "", ".v2", "a..v2", "bin/shim.v2"]) assert.isUndefined(RuntimeName.shimOf(name))
  })

  it("is told to start another program where it is runc's, under whichever path, and nothing otherwise", () => {
    for (const runtime of ["io.containerd.runc.v2", "/usr/bin/containerd-shim-runc-v2"]) {
      const { name, options } = WorkerRuntime.wire({ runtime, runtimeProgram: "crun" })
      assert.strictEqual(name, runtime)
      assert.strictEqual(options?.typeUrl, "containerd.runc.v1.Options")
      assert.strictEqual(fromBinary(OptionsSchema, options?.value ?? new Uint8Array()).binaryName, "crun")
      assert.deepStrictEqual(WorkerRuntime.wire({ runtime, runtimeProgram: undefined }), { name: runtime })
    }
    const foreign = { runtime: "aws.firecracker", runtimeProgram: "crun" }
    assert.deepStrictEqual(WorkerRuntime.wire(foreign), { name: "aws.firecracker" })
    assert.isFalse(RuntimeName.takesProgram("aws.firecracker"))
  })

  it("is told nothing that only runc's shim understands: whoever asks for that is told which of the settings to change", () => {
    for (const runtime of [undefined, "containerd", "io.containerd.runc.v2", "/usr/bin/containerd-shim-runc-v2"]) {
      assert.deepStrictEqual(RuntimeName.complaints(runtime, "crun", true), [])
    }
    assert.deepStrictEqual(RuntimeName.complaints("aws.firecracker", undefined, false), [])
    const [ofProgram, ofShim, ...more] = RuntimeName.complaints("aws.firecracker", "crun", true)
    assert.match(ofProgram ?? "", /^CONTAINERD_RUNTIME_BINARY .* "crun": runc's shim .*: aws\.firecracker$/)
    assert.match(ofShim ?? "", /^CONTAINERD_SHARED_SHIM .* is set: runc's shim .*: aws\.firecracker$/)
    assert.deepStrictEqual(more, [])
  })

  it("is named with what to install where containerd has no shim of it", () => {
    const named = WorkerRuntime.explain(
      { runtime: "aws.firecracker", runtimeProgram: undefined },
      refused('runtime "aws.firecracker" binary not installed "containerd-shim-aws-firecracker": file does not exist')
    )
    assert.strictEqual(
      named.message,
      "runtime aws.firecracker is not installed: there is no containerd-shim-aws-firecracker on the PATH of containerd"
    )
    const path = WorkerRuntime.explain(
      { runtime: "/opt/shim", runtimeProgram: undefined },
      refused("invalid custom binary path: stat /opt/shim: no such file or directory")
    )
    assert.strictEqual(path.message, "runtime /opt/shim is not installed: there is no /opt/shim where containerd runs")
  })

  it("is named where there is no such program, and not where something else is missing", () => {
    const crun = { runtime: "io.containerd.runc.v2", runtimeProgram: "crun" }
    const missing = refused('create failed: exec: "crun": executable file not found in $PATH: unknown')
    assert.include(WorkerRuntime.explain(crun, missing).message, "crun, which takes runc's place, is not installed")
    const other = refused('exec: "/bin/nothing": executable file not found in $PATH')
    assert.strictEqual(WorkerRuntime.explain(crun, other), other)
    const lost = new ContainerdFailure({ kind: "lost", code: status.UNAVAILABLE, message: "binary not installed" })
    assert.strictEqual(WorkerRuntime.explain(crun, lost), lost)
  })
})
