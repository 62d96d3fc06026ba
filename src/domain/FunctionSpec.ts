/** What is known of one function: what runs, how much of it, and what calls it by itself. */
import type { FunctionName } from "./FunctionName.ts"

/** How many workers a function may have and how long they are kept. */
export interface Scaling {
  /** Started ahead of calls and never pruned. */
  readonly minCapacity: number
  readonly maxCapacity: number
  readonly idleTimeoutMs: number
  /** How long a call waits for a worker before it is refused. */
  readonly acquireTimeoutMs: number
}

/** What happens to an event that was accepted and whose function failed. */
export interface AsynchronousPolicy {
  /** Runs after the first: 0, 1 or 2. */
  readonly retries: number
  readonly maxAgeMs: number
  readonly onSuccess: FunctionName | undefined
  readonly onFailure: FunctionName | undefined
}

/** A call the Gateway makes by the clock. */
export interface ScheduleSpec {
  /** `rate(5 minutes)` or `cron(0 12 * * ? *)`. */
  readonly expression: string
  /** JSON text handed to the function; `undefined` means AWS's scheduled event. */
  readonly input: string | undefined
}

export interface FunctionSpec {
  readonly name: FunctionName
  /** An image reference, or `artifact:sha256:<64 hex>`. */
  readonly image: string
  /** `nodejs24.x`, `python3.13`, `provided.al2023` …; absent for images. */
  readonly runtime: string | undefined
  readonly handler: string | undefined
  readonly timeoutMs: number
  readonly memoryMiB: number
  readonly environment: Readonly<Record<string, string>>
  readonly scaling: Scaling
  readonly asynchronous: AsynchronousPolicy
  readonly schedules: ReadonlyArray<ScheduleSpec>
}
