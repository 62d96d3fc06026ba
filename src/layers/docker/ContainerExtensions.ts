/** Extensions of a container as further processes in it, whose output is the container's. */
import { Clock, Effect } from "effect"
import type { Exec } from "dockerode"
import { Writable } from "node:stream"
import * as ContainerExtensions from "#domain/ContainerExtensions"
import { DockerApi, hasStatus } from "./DockerApi.ts"
import type { Container } from "./DockerContainer.ts"
import type { DockerSettings } from "./DockerSettings.ts"

/** What has closed its output is mostly gone a moment later; what is not has closed it for another reason. */
const endEveryMs = 20
const endTries = 10

export const make = Effect.fnUntraced(function* ({ reconnectEveryMs }: Pick<DockerSettings, "reconnectEveryMs">) {
  const { call, engine } = yield* DockerApi

  /** Hands on what it writes, to the end of the stream, which is the end of the extension or of the connection. */
  const read = (stream: NodeJS.ReadableStream & { readonly destroy: () => void }, { door }: Container) =>
    Effect.callback<void>((resume) => {
      const sink = new Writable({
        write: (chunk: Buffer, _encoding, written) => {
          door.output(chunk)
          written()
        }
      })
      for (const over of ["close", "end", "error"]) stream.on(over, () => resume(Effect.void))
      engine.modem.demuxStream(stream, sink, sink)
      return Effect.sync(() => stream.destroy())
    })

  /** Its exit code; `undefined` where the engine does not know it any more, as of a container that is gone. */
  const codeOf = Effect.fnUntraced(function* (exec: Exec) {
    for (let tried = 1; ; tried++) {
      const seen = yield* Effect.exit(
        call((abortSignal) => exec.inspect({ abortSignal })).pipe(
          Effect.catchIf(hasStatus(404), () => Effect.undefined)
        )
      )
      if (seen._tag === "Success" && seen.value?.Running !== true) return seen.value?.ExitCode ?? undefined
      yield* Effect.sleep(tried < endTries ? endEveryMs : reconnectEveryMs)
    }
  })

  /** Runs when this returns; then its end is to be waited for. One whose container has ended already is told of without us. */
  const start = Effect.fnUntraced(
    function* (container: Container, name: string) {
      const exec = yield* call(
        (abortSignal) =>
          engine.getContainer(container.name).exec({
            Cmd: [`${ContainerExtensions.directory}/${name}`],
            AttachStdout: true,
            AttachStderr: true,
            abortSignal
          }),
        { repeatable: false }
      )
      const stream = yield* call((abortSignal) => exec.start({ abortSignal }), { repeatable: false })
      return { ended: Effect.andThen(read(stream, container), codeOf(exec)) }
    },
    Effect.catchIf(hasStatus(409), () => Effect.succeed({ ended: Effect.undefined }))
  )

  /** The container of one that has ended by itself has failed, and ends. */
  const fail = Effect.fnUntraced(
    function* (container: Container, extension: string, code: number) {
      const itself = engine.getContainer(container.name)
      const { State } = yield* call((abortSignal) => itself.inspect({ abortSignal }))
      const now = yield* Clock.currentTimeMillis
      if (!State.Running || container.exit !== undefined) return
      const status = ContainerExtensions.crashOf(extension, code, State.OOMKilled)
      container.wasOutOfMemory = State.OOMKilled
      container.exit = { status, code, atUnixSeconds: Math.floor(now / 1_000) }
      container.door.exited(status)
      yield* call((abortSignal) => itself.kill({ abortSignal }))
    },
    // It has ended already, or the engine is away: then the worker's calls find out.
    Effect.ignore({ log: "Debug" })
  )

  return { start, fail }
})
