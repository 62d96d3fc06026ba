/** Workers that are children of the program that starts them, be it Gateway or Agent: their state and code lie in its home. */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Layer } from "effect"
import type { StackIdentity } from "#domain/StackIdentity"
import * as FileArtifactStore from "#layers/files/FileArtifactStore"
import * as ProcessContainerRuntime from "#layers/process/ProcessContainerRuntime"

/** `clients` lies beside the bundle that this file becomes a part of. */
const clientsDirectory = fileURLToPath(new URL("./clients", import.meta.url))

export const layer = (home: string, identity: StackIdentity, strict: boolean) =>
  ProcessContainerRuntime.layer({
    stateDirectory: home,
    clientsDirectory,
    identity,
    strict,
    sdk: { node: join(home, "sdk/node/node_modules"), python: join(home, "sdk/python") }
  }).pipe(Layer.provide(FileArtifactStore.layer(join(home, "artifacts"))))
