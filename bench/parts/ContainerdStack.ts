/** A Gateway and an Agent whose workers are containers of a containerd of their own. Nothing is left when the scope ends. */
import { join } from "node:path"
import { Context, Effect, Layer, type Scope } from "effect"
import * as CgroupParents from "#layers/containerd/CgroupParents"
import * as ContainerdSamples from "#test/support/ContainerdSamples"
import * as AgentOfContainerd from "#test/support/ContainerdStack"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { engine } from "#test/support/Engines"
import * as FunctionImage from "#test/support/FunctionImage"
import * as AgentProcess from "./AgentProcess.ts"
import * as CalledGateway from "./CalledGateway.ts"
import { heading, tellNumber } from "./Figures.ts"

export interface ContainerdStack extends CalledGateway.CalledGateway {
  readonly machine: ContainerdWorkers.Machine["Service"]
  /** Of the functions; Node with our runtime client, made of files of this machine. */
  readonly image: string
  readonly agent: AgentProcess.AgentProcess
  /** Of every container of this stack. */
  readonly tasks: () => Promise<ReadonlyArray<ContainerdSamples.Task>>
}

export const start = Effect.fnUntraced(function* (
  functions: Readonly<Record<string, CalledGateway.FunctionEntry>>,
  settings: Readonly<Record<string, string>> = {}
) {
  const brands: Array<string> = []
  // Last of all, when nothing is in them any more.
  yield* Effect.addFinalizer(() => Effect.forEach(brands, (brand) => CgroupParents.removeUnused(`/${brand}`)))
  const machine = Context.get(yield* Layer.build(ContainerdWorkers.machine()), ContainerdWorkers.Machine)
  const { directory, namespace } = machine
  brands.push(namespace)
  const { reference: image } = yield* Effect.promise(() => FunctionImage.archive())
  const agent = yield* AgentProcess.start(join(directory, "agent"), {
    ...(yield* Effect.provideService(AgentOfContainerd.settings, ContainerdWorkers.Machine, machine)),
    // It would stay for the workers that are left to the machine's end.
    WORKER_FENCE: "off",
    ...settings
  })
  const home = join(directory, "gateway")
  const called = yield* CalledGateway.start({ home, agent, image, functions, settings })
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  const tasks = () => run(Effect.provideService(ContainerdSamples.tasks, ContainerdWorkers.Machine, machine))
  return { machine, image, agent, tasks, ...called } satisfies ContainerdStack
})

/** Asks the question where a containerd can answer it. */
export const ask = async (question: string, answer: Effect.Effect<void, unknown, Scope.Scope>): Promise<void> => {
  heading(question)
  const missing = (["containerd", "cni"] as const).map(engine).flatMap((peer) => (peer.present ? [] : [peer.reason]))
  if (missing.length === 0) await Effect.runPromise(Effect.scoped(answer))
  else tellNumber("not measured", missing.join("; "))
}
