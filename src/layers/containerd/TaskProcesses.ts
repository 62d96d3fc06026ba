/**
 * Further processes in containers of containerd. What a container's own process was told is read back, and nothing but the
 * program is another: its user, its environment and its rights are the same.
 */
import { create } from "@bufbuild/protobuf"
import { AnySchema } from "@bufbuild/protobuf/wkt"
import { status } from "@grpc/grpc-js"
import { Effect, Schema } from "effect"
import { ContainerdApi } from "./ContainerdApi.ts"
import { ContainerdFailure, hasCode } from "./ContainerdFailure.ts"
import { Containers } from "./generated/containerd/containers_pb.ts"
import { Tasks } from "./generated/containerd/tasks_pb.ts"

/** Which one it is; its id is its own in its container. */
export interface ProcessName {
  readonly container: string
  readonly id: string
}

const processKind = "types.containerd.io/opencontainers/runtime-spec/1/Process"

const Spec = Schema.fromJsonString(Schema.Struct({ process: Schema.Record(Schema.String, Schema.Unknown) }))
const decodeSpec = Schema.decodeEffect(Spec)

/** The answer comes when the process ends. */
const forever = 365 * 86_400_000

const once = { repeatable: false }

export const make = Effect.gen(function* () {
  const { call } = yield* ContainerdApi

  const processOf = Effect.fnUntraced(function* (name: string) {
    const { container } = yield* call(Containers.method.get, { id: name })
    const spec = yield* Effect.mapError(
      decodeSpec(Buffer.from(container?.spec?.value ?? []).toString("utf8")),
      (cause) =>
        new ContainerdFailure({
          kind: "refused",
          code: status.DATA_LOSS,
          message: `the specification of ${name} cannot be read`,
          cause
        })
    )
    return spec.process
  })

  /** Runs when this returns, and writes into a pipe that somebody reads. */
  const start = Effect.fnUntraced(function* ({ container, id }: ProcessName, program: string, pipe: string) {
    const described = { ...(yield* processOf(container)), args: [program] }
    const spec = create(AnySchema, { typeUrl: processKind, value: Buffer.from(JSON.stringify(described)) })
    const named = { containerId: container, execId: id }
    yield* call(Tasks.method.exec, { ...named, spec, stdout: pipe, stderr: pipe }, once)
    yield* call(Tasks.method.start, named, once)
  })

  /** Its exit code, when it has one. `undefined`: it is not known any more, as of a container that is gone. */
  const ended = ({ container, id }: ProcessName): Effect.Effect<number | undefined, ContainerdFailure> => {
    const named = { containerId: container, execId: id }
    return call(Tasks.method.wait, named, { limitMs: forever }).pipe(
      // After that, all it wrote is in the pipe.
      Effect.tap(() => Effect.ignore(call(Tasks.method.deleteProcess, named), { log: "Debug" })),
      Effect.map(({ exitStatus }) => exitStatus),
      Effect.catchIf(hasCode(status.NOT_FOUND), () => Effect.undefined)
    )
  }

  return { start, ended }
})
