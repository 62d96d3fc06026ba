/** The engines that run images, for suites that ask the same of each: images are made by one, and handed to the others. */
import { Context, Effect, Layer } from "effect"
import { rmSync } from "node:fs"
import { join } from "node:path"
import type { Worker } from "#domain/Worker"
import type { ContainerRuntime } from "#services/ContainerRuntime"
import type { WorkerClient } from "#services/WorkerClient"
import type { DoorSettings } from "#layers/runtime-api/DoorSettings"
import type { ProtocolSettings } from "#layers/rie/ProbedWorkerProtocols"
import * as ContainerdWorkers from "./ContainerdWorkers.ts"
import { docker } from "./DockerImages.ts"
import * as DockerWorkers from "./DockerWorkers.ts"
import type { EngineName } from "./Engines.ts"
import type { RecordedLog } from "./RecordedLog.ts"
import type { WorkerFaults } from "./WorkerFaults.ts"
import type { WorkerFunctions } from "./WorkerFunctions.ts"

/** Of one run, in words that every engine has. */
export interface Options {
  readonly log?: RecordedLog
  readonly shutdownGraceMs?: number
  readonly protocols?: Partial<ProtocolSettings>
  readonly door?: Partial<DoorSettings>
}

/** What is to be had on a machine, whether or not an engine of ours runs on it. */
export class EngineMachine extends Context.Service<
  EngineMachine,
  {
    /** The engine has this image of docker's when this returns: its reference there. */
    readonly take: (reference: string) => Effect.Effect<string>
    /** Names of the containers of this machine that a run has left or has not yet removed. */
    readonly containers: Effect.Effect<ReadonlyArray<string>>
    /** What a shell in the container of a worker says, which has the worker's rights. */
    readonly inside: (worker: Pick<Worker, "name">, command: string) => Effect.Effect<string>
  }
>()("esb/test/EngineMachine") {}

export interface ContainerEngine<M> {
  readonly name: string
  readonly needs: ReadonlyArray<EngineName>
  /** A machine for one stack, which may run several times, one after the other. */
  readonly machine: Layer.Layer<M | EngineMachine>
  /** Its workers stay when it ends, as an Agent's do, until the machine goes. */
  readonly run: (
    options?: Options
  ) => Layer.Layer<ContainerRuntime | WorkerClient | WorkerFaults | WorkerFunctions, unknown, M>
}

const linesOf = (text: string): ReadonlyArray<string> => text.split("\n").filter((line) => line !== "")

class DockerStack extends Context.Service<DockerStack, string>()("esb/test/DockerStack") {}

export const dockerEngine: ContainerEngine<DockerStack> = {
  name: "docker",
  needs: ["docker"],
  machine: Layer.effectContext(
    Effect.map(DockerWorkers.lastingStack(), (stack) =>
      Context.make(DockerStack, stack).pipe(
        Context.add(EngineMachine, {
          take: Effect.succeed,
          containers: Effect.map(
            docker("ps", "--all", "--filter", `label=esb_env=${stack}`, "--format", "{{.Names}}"),
            linesOf
          ),
          inside: ({ name }, command) => docker("exec", name, "sh", "-c", `{ ${command}; } 2>&1`)
        })
      )
    )
  ),
  run: ({ shutdownGraceMs, ...options } = {}) =>
    Layer.unwrap(
      Effect.map(DockerStack, (stack) =>
        DockerWorkers.layer({
          ...options,
          stack,
          leavesWorkers: true,
          docker: shutdownGraceMs === undefined ? {} : { shutdownGraceMs }
        })
      )
    )
}

export const containerdEngine: ContainerEngine<ContainerdWorkers.Machine> = {
  name: "containerd",
  needs: ["docker", "containerd", "cni"],
  machine: Layer.effect(
    EngineMachine,
    Effect.map(ContainerdWorkers.Machine, (machine) => {
      const { ctr, directory } = machine
      const taken = new Set<string>()
      const bring = Effect.fnUntraced(function* (reference: string) {
        const path = join(directory, "taken.tar")
        yield* docker("save", "--output", path, reference)
        yield* ctr("images", "import", path)
        rmSync(path)
        taken.add(reference)
      })
      return {
        take: (reference) =>
          Effect.as(
            Effect.suspend(() => (taken.has(reference) ? Effect.void : bring(reference))),
            reference
          ),
        containers: Effect.map(ctr("containers", "list", "--quiet"), linesOf),
        inside: (worker, command) =>
          Effect.provideService(ContainerdWorkers.inside(worker, command), ContainerdWorkers.Machine, machine)
      }
    })
  ).pipe(Layer.provideMerge(ContainerdWorkers.machine())),
  run: ({ shutdownGraceMs, ...options } = {}) =>
    ContainerdWorkers.onMachine({
      ...options,
      containerd: shutdownGraceMs === undefined ? {} : { shutdownGraceMs }
    })
}
