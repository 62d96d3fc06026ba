/** Which shim starts containers, what it is told, and what it means that it, or what it starts, is not there. */
import { create, toBinary } from "@bufbuild/protobuf"
import { AnySchema } from "@bufbuild/protobuf/wkt"
import { isAbsolute } from "node:path"
import { shimOf, takesProgram } from "#domain/RuntimeName"
import { ContainerdFailure } from "./ContainerdFailure.ts"
import { OptionsSchema } from "./generated/containerd/runc_options_pb.ts"

export interface WorkerRuntime {
  /** As containerd names it: `io.containerd.runc.v2`, `aws.firecracker`, or the absolute path of a shim. */
  readonly runtime: string
  /** Program that runc's shim starts in runc's place; `undefined`: runc. */
  readonly runtimeProgram: string | undefined
}

/** As containerd takes it. Another shim than runc's is left to what its own files say. */
export const wire = ({ runtime, runtimeProgram }: WorkerRuntime) =>
  runtimeProgram === undefined || !takesProgram(runtime)
    ? { name: runtime }
    : {
        name: runtime,
        options: create(AnySchema, {
          typeUrl: OptionsSchema.typeName,
          value: toBinary(OptionsSchema, create(OptionsSchema, { binaryName: runtimeProgram }))
        })
      }

const noShim = /binary not installed|invalid custom binary path/
const noProgram = /executable file not found|no such file or directory/

/** In our words, where containerd's tell of something that is not installed. They come with the code of every other failure. */
export const explain = ({ runtime, runtimeProgram }: WorkerRuntime, failure: ContainerdFailure): ContainerdFailure => {
  const { code, kind, message: said } = failure
  const told = (message: string) => new ContainerdFailure({ kind, code, message, cause: failure })
  if (kind === "refused" && noShim.test(said)) {
    const where = isAbsolute(runtime) ? "where containerd runs" : "on the PATH of containerd"
    return told(`runtime ${runtime} is not installed: there is no ${shimOf(runtime) ?? runtime} ${where}`)
  }
  if (runtimeProgram !== undefined && said.includes(runtimeProgram) && noProgram.test(said)) {
    return told(`${runtimeProgram}, which takes runc's place, is not installed where containerd runs`)
  }
  return failure
}
