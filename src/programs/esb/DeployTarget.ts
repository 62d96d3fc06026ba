/** Where a deploy goes: the home, the stack that runs there, and what that stack needs. */
import { Effect } from "effect"
import { isLoopback } from "#domain/ImageReference"
import type { DeploySettings } from "./DeploySettings.ts"
import * as Home from "./Home.ts"
import { StackNotRunning, WrongUsage } from "./Refusal.ts"
import * as RunFile from "./RunFile.ts"
import { registryInside } from "./StackPlan.ts"

export interface DeployTarget {
  readonly home: string
  readonly mode: RunFile.Run["mode"]
  /** `undefined`: none runs, which only a build can do without. */
  readonly run: RunFile.Run | undefined
}

/** The home whose stack runs: the one that commands here talk about, else that of the template. */
const running = Effect.fnUntraced(function* (template: string) {
  const candidates = [yield* Home.find, yield* Home.forTemplate(template)]
  for (const home of candidates) {
    const run = home === undefined ? undefined : yield* RunFile.read(home)
    if (home !== undefined && run !== undefined) return { home, run }
  }
  return yield* new StackNotRunning({ home: candidates.find((home) => home !== undefined) })
})

/** A build is made in the home of its template, whichever stack runs elsewhere. */
const forBuild = Effect.fnUntraced(function* (template: string) {
  const home = yield* Home.forTemplate(template)
  yield* Home.make(home)
  return { home, run: yield* RunFile.read(home) }
})

export const find = Effect.fnUntraced(function* (
  template: string,
  buildOnly: boolean,
  { mode: asked, registry }: Pick<DeploySettings, "mode" | "registry">
) {
  const { home, run } = buildOnly ? yield* forBuild(template) : yield* running(template)
  if (asked !== undefined && run !== undefined && asked !== run.mode) {
    return yield* new WrongUsage({
      message: `ESB_MODE (--mode) is ${asked}, and the stack of ${home} runs in the mode ${run.mode}: leave it out`
    })
  }
  if (run === undefined && asked === "containerd" && registry === undefined) {
    return yield* new WrongUsage({
      message:
        "containerd has no images but those of registries: name that of the stack to be with --registry, such as 127.0.0.1:5010"
    })
  }
  return { home, run, mode: run?.mode ?? asked ?? "embedded" } satisfies DeployTarget
})

/** As of `esb up`. */
const defaultRegion = "us-east-1"

/** Of a deploy to a stack that is known. */
export type TargetSettings = Omit<DeploySettings, "region"> & {
  readonly region: string
  /** The registry as the Agent names it; `undefined`: as it is named here. */
  readonly agentRegistry: string | undefined
}

/** A stack that does not run yet will have a registry of its own, on this machine. */
const agentRegistryOf = ({ mode, registry }: DeploySettings): string | undefined =>
  mode === "containerd" && registry !== undefined && isLoopback(registry) ? registryInside : undefined

/** The names, the engine and the registry of the stack that runs; another registry only where one is named. */
export const settingsFor = (given: DeploySettings, run: RunFile.Run | undefined): TargetSettings => {
  const settings = { ...given, region: given.region ?? run?.region ?? defaultRegion }
  if (!RunFile.isInContainers(run)) return { ...settings, agentRegistry: agentRegistryOf(given) }
  const registry = settings.registry ?? run.registry
  return {
    ...settings,
    registry,
    agentRegistry: registry === run.registry ? run.agentRegistry : undefined,
    brandSlug: run.brand,
    environment: run.environment,
    dockerHost: run.engine
  }
}
