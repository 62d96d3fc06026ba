/** From the source of a function to code that can run. */
import { Context, type Effect, Schema } from "effect"
import type { SourceCode, StackLayer } from "#domain/Stack"
import type { ArtifactSources } from "./ArtifactStore.ts"

/** The code of a function could not be made ready; the message says what to do, and ends with a failed tool's own last lines. */
export class BuildFailed extends Schema.TaggedError<BuildFailed>()("BuildFailed", {
  /** Logical id of the function or the layer. */
  logicalId: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.logicalId}: ${this.detail}`
  }
}

export interface BuildRequest {
  readonly logicalId: string
  /** Functions of the kind `Image` have nothing to build. */
  readonly code: SourceCode
  /** The layers that `code` names, in its order. */
  readonly layers: ReadonlyArray<StackLayer>
  /** The directory that `codeUri` and `contentUri` are relative to. */
  readonly templateDirectory: string
  /** Told before each step that takes long, such as an install. */
  readonly progress: (step: string) => void
}

export interface BuiltFunction {
  /** Directories ready to run. They may be the sources themselves, so that they are copied before anybody edits them. */
  readonly sources: ArtifactSources
  /** Two builds with one key have the same result. */
  readonly key: string
  /** Files and directories whose change makes this build outdated. */
  readonly inputs: ReadonlyArray<string>
  /** What was done in another way than asked for. */
  readonly warnings: ReadonlyArray<string>
}

export class FunctionBuilder extends Context.Service<
  FunctionBuilder,
  {
    /** Installs dependencies, bundles TypeScript, unpacks archives: whatever the sources ask for and nobody did yet. */
    readonly build: (request: BuildRequest) => Effect.Effect<BuiltFunction, BuildFailed>
  }
>()("esb/services/FunctionBuilder") {}
