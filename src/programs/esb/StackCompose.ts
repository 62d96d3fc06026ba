/** The Compose project of a stack that `run.json` tells of. */
import { Duration, Effect, Layer } from "effect"
import * as DockerApi from "#layers/docker/DockerApi"
import * as DockerComposeStack from "#layers/docker/DockerComposeStack"
import * as EngineAddress from "#layers/docker/EngineAddress"
import type { ComposeStack } from "#services/ComposeStack"
import * as ComposeVariables from "./ComposeVariables.ts"
import { inherited } from "./Environment.ts"
import { WrongUsage } from "./Refusal.ts"
import type { ContainerRun } from "./RunFile.ts"

/** Of commands that wait for nothing. */
const noWait = Duration.zero

/** With the engine that runs it. */
export const layer = (
  run: ContainerRun,
  readyWithin = noWait
): Layer.Layer<ComposeStack | DockerApi.DockerApi, WrongUsage> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const address = EngineAddress.parse(run.engine)
      if (address === undefined) {
        return yield* new WrongUsage({ message: `${run.engine} is no engine: expected unix:///path` })
      }
      const { composeFiles: files, engine, environmentFile, project } = run
      // What was given to the `esb up` that started it counts, not what the shell of another command has.
      const names = yield* ComposeVariables.of(files)
      const environment = Object.fromEntries(Object.entries(inherited()).filter(([name]) => !names.has(name)))
      return DockerComposeStack.layer({
        project,
        files,
        environmentFile,
        environment,
        engine,
        readyWithin
      }).pipe(Layer.provideMerge(DockerApi.layer(address)))
    })
  )
