/** Code of functions, found by its digest. */
import { Context, type Effect } from "effect"
import type { ArtifactNotFound, StorageUnavailable } from "#domain/Failure"

/** An unpacked artifact on this host. Immutable: a change of code is another digest. */
export interface Artifact {
  /** `artifact:sha256:<64 hex>` */
  readonly image: string
  /** What the function sees as `LAMBDA_TASK_ROOT`. */
  readonly taskDirectory: string
  /** What the function sees as `/opt`: its layers, merged in order; absent without layers. */
  readonly optDirectory: string | undefined
}

export interface ArtifactSources {
  readonly taskDirectory: string
  /** Directories laid over one another in this order. */
  readonly layerDirectories: ReadonlyArray<string>
}

export class ArtifactStore extends Context.Service<
  ArtifactStore,
  {
    /** Copies the sources in under the digest of their content; a digest that is there already is not copied again. */
    readonly put: (sources: ArtifactSources) => Effect.Effect<Artifact, StorageUnavailable>
    readonly find: (image: string) => Effect.Effect<Artifact, ArtifactNotFound>
    /** Removes every artifact but these. Returns how many went. */
    readonly keepOnly: (images: ReadonlySet<string>) => Effect.Effect<number, StorageUnavailable>
  }
>()("esb/services/ArtifactStore") {}
