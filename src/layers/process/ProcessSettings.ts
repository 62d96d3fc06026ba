/** Where process workers live, what they are started with, and the limits of everything that waits for them. */
import { homedir } from "node:os"
import type { StackIdentity } from "#domain/StackIdentity"

/** What has to be said. */
export interface ProcessPlaces {
  /** Workers have their directories below it, and the code that interpreters compiled is cached there. */
  readonly stateDirectory: string
  /** Holds our runtime clients: `node.mjs` and `python/bootstrap.py`. */
  readonly clientsDirectory: string
}

export interface Search {
  /** The value of `PATH`. */
  readonly path: string
  /** The user's own directory, where version managers keep theirs. */
  readonly home: string
  /** Directories of the system, which need not be on the `PATH`. */
  readonly system: ReadonlyArray<string>
}

/** What may be said. */
export interface ProcessOptions {
  /** Names of workers are made from it. */
  readonly identity: StackIdentity
  /** Where interpreters are looked for. */
  readonly search: Search
  /** Directories with an AWS SDK, last on the search path: a `node_modules`, and a directory for `PYTHONPATH`. */
  readonly sdk: { readonly node?: string | undefined; readonly python?: string | undefined }
  /** Only the exact version of a runtime will do. */
  readonly strict: boolean
  /** Files a worker may have open, as on AWS. */
  readonly openFiles: number
  /** How often the memory of workers that run is measured, and how often their processes are counted anew. */
  readonly sampleEveryMs: number
  readonly countEveryMs: number
  /** Limit for a process to run once it is asked for. */
  readonly launchLimitMs: number
  /** Limit for the output of a process that has ended. */
  readonly lastOutputMs: number
  /** Limit for the processes of a worker to be gone once they are killed. */
  readonly goneLimitMs: number
  /** What extensions get between SHUTDOWN and the end, as on AWS. Without a listening extension nobody waits. */
  readonly shutdownGraceMs: number
  /** Limit for an interpreter to tell its version. */
  readonly probeLimitMs: number
}

export type ProcessSettings = ProcessPlaces & ProcessOptions

/** `path` is where interpreters are looked for unless something else is said. */
export const defaults = (path: string): ProcessOptions => ({
  identity: { brand: "esb", environment: "local" },
  search: {
    path,
    home: homedir(),
    system: ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]
  },
  sdk: {},
  strict: false,
  openFiles: 1_024,
  sampleEveryMs: 250,
  countEveryMs: 2_000,
  launchLimitMs: 5_000,
  lastOutputMs: 100,
  goneLimitMs: 2_000,
  shutdownGraceMs: 2_000,
  probeLimitMs: 5_000
})
