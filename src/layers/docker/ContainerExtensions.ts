/**
 * External extensions of a container: started in it beside its runtime, as AWS's platform does, with its user, its environment
 * and its log. One that ends takes the container with it.
 */
import { Clock, Deferred, Effect } from "effect"
import type { Exec } from "dockerode"
import { Writable } from "node:stream"
import * as ContainerExtensions from "#domain/ContainerExtensions"
import { DockerApi, hasStatus } from "./DockerApi.ts"
import type { DockerSettings } from "./DockerSettings.ts"
import type { Container } from "./DockerWorker.ts"

/** What has to be known of the container. */
type Extended = Pick<Container, "door" | "exit" | "name">

/** What has closed its output is mostly gone a moment later; what is not has closed it for another reason. */
const endEveryMs = 20
const endTries = 10

export const make = Effect.fnUntraced(function* ({ reconnectEveryMs }: Pick<DockerSettings, "reconnectEveryMs">) {
  const { call, engine } = yield* DockerApi

  /** Hands on what it writes, to the end of the stream, which is the end of the extension or of the connection. */
  const read = (stream: NodeJS.ReadableStream & { readonly destroy: () => void }, { door }: Extended) =>
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

  /** It has ended by itself, in a container that runs on: that one has failed, and ends. */
  const crash = Effect.fnUntraced(function* (container: Extended, name: string, code: number) {
    const itself = engine.getContainer(container.name)
    const { State } = yield* call((abortSignal) => itself.inspect({ abortSignal }))
    const now = yield* Clock.currentTimeMillis
    if (!State.Running || container.exit !== undefined) return
    const status = ContainerExtensions.crashOf(name, code, State.OOMKilled)
    container.exit = { status, code, atUnixSeconds: Math.floor(now / 1_000) }
    container.door.exited(status)
    yield* call((abortSignal) => itself.kill({ abortSignal }))
  })

  /** `undefined`: the container has ended already, which is told without us. */
  const begin = Effect.fnUntraced(
    function* (container: Extended, name: string) {
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
      return { exec, stream }
    },
    Effect.catchIf(hasStatus(409), () => Effect.undefined)
  )

  /** Started when this returns, and followed for as long as the scope lives. */
  return Effect.fnUntraced(function* (container: Extended, names: ReadonlyArray<string>) {
    let isRetired = false

    const follow = Effect.fnUntraced(function* (name: string) {
      const ended = yield* Deferred.make<void>()
      const begun = yield* begin(container, name)
      const fate = Effect.gen(function* () {
        if (begun !== undefined) yield* read(begun.stream, container)
        const code = begun === undefined ? undefined : yield* codeOf(begun.exec)
        yield* Deferred.succeed(ended, undefined)
        if (code === undefined) return
        if (ContainerExtensions.mayHaveBeenTaken(code)) yield* Effect.sleep(ContainerExtensions.endsTogetherMs)
        if (!isRetired) yield* Effect.ignore(crash(container, name, code), { log: "Debug" })
      })
      yield* Effect.forkScoped(fate)
      return ended
    })

    const ends = yield* Effect.forEach(names, follow, { concurrency: ContainerExtensions.parallelStarts })
    return {
      retire: () => {
        isRetired = true
      },
      ended: Effect.forEach(ends, Deferred.await, { discard: true })
    } satisfies ContainerExtensions.ContainerExtensions
  })
})
