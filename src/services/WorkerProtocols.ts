/** How each new worker is spoken to, for engines whose images may bring an emulator. */
import { Context, type Effect } from "effect"
import type { Protocol } from "#domain/Worker"

/** A worker that was started and has a door, as far as its protocol depends on it. */
export interface UnsettledWorker {
  /** Digest of its image: workers of the same one speak the same protocol. */
  readonly imageDigest: string
  /** What its image starts, with its arguments. */
  readonly entrypoint: ReadonlyArray<string>
  /** Succeeds with the first request at its door. */
  readonly contacted: Effect.Effect<void>
  /** Where an emulator in it would listen. */
  readonly host: string
}

export class WorkerProtocols extends Context.Service<
  WorkerProtocols,
  {
    /**
     * Whether a worker is told where its door is. Not where every worker is to be reached through the emulator of its image:
     * AWS's images start theirs only where nobody says to be the Runtime API.
     */
    readonly namesDoor: boolean
    /**
     * Returns at once for every image that names no emulator or is known already, else when the worker has shown what it
     * is, and at the latest when its init limit is over.
     */
    readonly settle: (worker: UnsettledWorker) => Effect.Effect<Protocol>
  }
>()("esb/services/WorkerProtocols") {}
