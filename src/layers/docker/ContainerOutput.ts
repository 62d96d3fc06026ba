/**
 * What a container writes, read from the engine as it comes. A connection that breaks while the container runs is made anew;
 * what was written in between is with the engine's own log, and lost to ours.
 */
import { Deferred, Effect } from "effect"
import { Writable } from "node:stream"
import { DockerApi } from "./DockerApi.ts"
import type { Container } from "./DockerContainer.ts"
import type { DockerSettings } from "./DockerSettings.ts"

export const make = Effect.fnUntraced(function* ({ reconnectEveryMs }: DockerSettings) {
  const { call, engine } = yield* DockerApi

  const attach = (name: string) =>
    call((abortSignal) => engine.getContainer(name).attach({ stream: true, stdout: true, stderr: true, abortSignal }))

  /** Reads to the end of the stream, which is the end of the container or of the connection. */
  const read = (stream: NodeJS.ReadWriteStream, { door }: Container): Effect.Effect<void> =>
    Effect.callback((resume) => {
      const sink = new Writable({
        write: (chunk: Buffer, _encoding, written) => {
          door.output(chunk)
          written()
        }
      })
      const over = (): void => resume(Effect.void)
      stream.once("close", over)
      stream.once("end", over)
      stream.on("error", over)
      engine.modem.demuxStream(stream, sink, sink)
      return Effect.sync(() => {
        if ("destroy" in stream && typeof stream.destroy === "function") stream.destroy()
      })
    })

  const follow = Effect.fnUntraced(function* (container: Container, first: NodeJS.ReadWriteStream) {
    yield* read(first, container)
    while (container.exit === undefined && !container.isRemoved) {
      yield* Effect.sleep(reconnectEveryMs)
      const state = yield* Effect.option(call(() => engine.getContainer(container.name).inspect()))
      if (state._tag === "Some" && !state.value.State.Running) break
      const again = yield* Effect.option(attach(container.name))
      if (again._tag === "Some") yield* read(again.value, container)
    }
  })

  /**
   * Attached when this returns, so that the container can be started without a word being missed; reads for as long as the
   * scope lives.
   */
  const capture = Effect.fnUntraced(function* (container: Container) {
    const first = yield* attach(container.name)
    yield* Effect.forkScoped(
      Effect.ensuring(follow(container, first), Deferred.succeed(container.outputEnded, undefined))
    )
  })

  return { capture }
})
