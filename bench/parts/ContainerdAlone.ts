/**
 * The floor of a start in a container of containerd: the same image, specification and kind of network, by containerd's calls alone
 * and against a stub Runtime API. Networks are ready before they are asked for, as an Agent's are.
 */
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import * as CniPlugins from "#layers/cni/CniPlugins"
import * as CgroupParents from "#layers/containerd/CgroupParents"
import * as ContainerdApi from "#layers/containerd/ContainerdApi"
import * as ContainerdImages from "#layers/containerd/ContainerdImages"
import * as ContainerdSettings from "#layers/containerd/ContainerdSettings"
import * as ContainerSpec from "#layers/containerd/ContainerSpec"
import * as NameFiles from "#layers/containerd/NameFiles"
import * as Tasks from "#layers/containerd/Tasks"
import * as OciRegistry from "#layers/registry/OciRegistry"
import { Cni } from "#services/Cni"
import { networksOn } from "#test/support/ContainerdWorkers"
import type { ContainerdStack } from "./ContainerdStack.ts"
import { timed } from "./Figures.ts"
import * as FloorFunction from "./FloorFunction.ts"
import * as StubRuntimeApi from "./StubRuntimeApi.ts"

export interface Wish {
  readonly handler: string
  readonly memoryMiB: number
  readonly sharesShim?: boolean
}

/** Its containers are removed when the scope ends: a removal would disturb whatever is measured next. */
export const make = Effect.fnUntraced(function* (
  { image, machine }: Pick<ContainerdStack, "image" | "machine">,
  { handler, memoryMiB, sharesShim = false }: Wish
) {
  const { directory, namespace, socket, stack } = machine
  const identity = { brand: namespace, environment: `${stack}-floor` }
  const places = { identity, directory: join(directory, "floor") }
  const settings = { ...ContainerdSettings.defaultsOf(places), ...places, cgroupParent: "/esb-bench-floor" }
  const networks = CniPlugins.layer(networksOn(machine, identity, join(directory, "floor-networks")))
  const layers = Layer.mergeAll(networks, ContainerdApi.layer({ namespace, socketPath: socket }), OciRegistry.layer())
  const context = yield* Layer.build(layers)
  const cni = Context.get(context, Cni)
  const tasks = yield* Effect.provide(Tasks.make(settings), context)
  const { get } = yield* Effect.provide(ContainerdImages.make({ pullPolicy: "never" }), context)
  const { chainId, config } = yield* get(image)
  const nameFiles = yield* NameFiles.write(places.directory, cni.bridge.nameserver)
  const stub = yield* StubRuntimeApi.make(cni.bridge.gateway)
  const made: Array<{ readonly name: string; readonly network: string }> = []
  yield* Effect.addFinalizer(() => CgroupParents.removeUnused(settings.cgroupParent))
  const remove = ({ name, network }: (typeof made)[number]) =>
    Effect.orDie(Effect.andThen(tasks.remove(name), cni.release(network)))
  yield* Effect.addFinalizer(() => Effect.forEach(made, remove, { concurrency: 4, discard: true }))

  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  const specOf = (name: string, networkNamespace: string) =>
    ContainerSpec.make({
      name,
      spec: FloorFunction.specOf(image, handler, memoryMiB),
      image: config,
      imageUser: undefined,
      memoryMiB,
      logStream: "floor",
      networkNamespace,
      cgroupParent: settings.cgroupParent,
      countsSwap: true,
      nameFiles,
      door: { endpoint: `${cni.bridge.gateway}:${stub.port}`, token: "floor" },
      shimGroup: sharesShim ? "floor" : undefined
    })

  /** Everything but running: its name. */
  const prepare = async (): Promise<string> => {
    const network = await run(cni.take)
    const name = `floor-${made.length}`
    made.push({ name, network: network.name })
    const spec = specOf(name, network.path)
    await run(tasks.prepare({ name, labels: {}, image, parent: chainId, spec, output: "/dev/null" }))
    return name
  }
  const startOf = (name: string): Promise<void> => run(tasks.start(name))

  return {
    prepare,
    /** Without waiting for what runs in it. */
    start: async (): Promise<void> => startOf(await prepare()),
    /** Of nothing but the image and a network, until its function has answered; milliseconds. */
    coldStart: (): Promise<number> => {
      const answered = stub.next()
      return timed(() => Promise.all([prepare().then(startOf), answered]))
    },
    /** Of one that was prepared. */
    preparedStart: (name: string): Promise<number> => {
      const answered = stub.next()
      return timed(() => Promise.all([startOf(name), answered]))
    },
    pause: (name: string): Promise<void> => run(tasks.pause(name)),
    resume: (name: string): Promise<void> => run(tasks.resume(name))
  }
})
