/**
 * The floor of a start in a container: the engine alone, asked for the same container as the Agent asks for, and a Runtime API
 * that does nothing but hand out one event and take its answer.
 */
import { Effect } from "effect"
import type { OwnerId } from "#domain/Worker"
import * as ContainerOptions from "#layers/docker/ContainerOptions"
import type { DockerStack } from "./DockerStack.ts"
import { timed } from "./Figures.ts"
import * as FloorFunction from "./FloorFunction.ts"
import * as StubRuntimeApi from "./StubRuntimeApi.ts"

/** Its containers are removed when the scope ends, as those of the stack are: a removal would disturb whatever is measured next. */
export const make = Effect.fnUntraced(function* (stack: DockerStack, handler: string, memoryMiB: number) {
  const { engine, gatewayAddress, identity, image, network } = stack
  const stub = yield* StubRuntimeApi.make(gatewayAddress)
  const { Config, Id } = yield* Effect.promise(() => engine.getImage(image).inspect())
  const names: Array<string> = []
  yield* Effect.addFinalizer(() =>
    Effect.promise(() => Promise.all(names.map((name) => engine.getContainer(name).remove({ force: true, v: true }))))
  )
  const options = (name: string) => ({
    ...ContainerOptions.make({
      identity,
      name,
      spec: FloorFunction.specOf(image, handler, memoryMiB),
      owner: "bench" as OwnerId,
      image: { reference: image, digest: Id, entrypoint: [], user: Config.User },
      memoryMiB,
      logStream: "floor",
      network,
      door: { endpoint: `${gatewayAddress}:${stub.port}`, token: "floor" }
    }),
    // Of nobody's stack, so that no Agent takes it for a leftover.
    Labels: {}
  })
  const start = async (): Promise<void> => {
    const name = `esb-${identity.environment}-floor-${names.length}`
    names.push(name)
    await (await engine.createContainer(options(name))).start()
  }
  return {
    /** Without waiting for what runs in it. */
    start,
    /** Until its function has answered, one at a time; milliseconds. */
    coldStart: (): Promise<number> => {
      const answered = stub.next()
      return timed(() => Promise.all([start(), answered]))
    },
    /** The container that was made last. */
    last: () => engine.getContainer(names.at(-1) ?? "")
  }
})
