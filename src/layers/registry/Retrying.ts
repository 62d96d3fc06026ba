/** Asks again where that may help, and can do no harm. */
import { Clock, Effect, Random, Result, type Scope } from "effect"
import { RegistryUnavailable } from "#domain/Failure"
import * as Document from "./Document.ts"
import { type Answer, discard, type Unanswered } from "./RegistryHttp.ts"
import type { RegistrySettings } from "./RegistrySettings.ts"

const passing = new Set([429, 500, 502, 503, 504])

interface Trouble {
  readonly detail: string
  readonly isFinal: boolean
  /** What the registry asks for. */
  readonly waitMs: number
  readonly cause?: unknown
}

/** `Retry-After` in seconds or as a date. */
const waitMs = (header: string | undefined, nowMs: number): number => {
  if (header === undefined) return 0
  if (/^\d+$/.test(header)) return Number(header) * 1_000
  const at = Date.parse(header)
  return Number.isNaN(at) ? 0 : Math.max(0, at - nowMs)
}

/** An answer that is neither a 429 nor a 5xx. */
export const settled = Effect.fnUntraced(function* (
  settings: RegistrySettings,
  registry: string,
  isRepeatable: boolean,
  once: Effect.Effect<Answer, Unanswered, Scope.Scope>
): Effect.fn.Return<Answer, RegistryUnavailable, Scope.Scope> {
  const troubleIn = Effect.fnUntraced(function* (outcome: Result.Result<Answer, Unanswered>) {
    if (Result.isFailure(outcome)) {
      const { cause, detail, isFinal } = outcome.failure
      return { cause, detail, isFinal, waitMs: 0 } satisfies Trouble
    }
    const answer = outcome.success
    if (answer.status < 500 && !passing.has(answer.status)) return undefined
    const bounds = { bytes: settings.refusalLimitBytes, ms: settings.documentLimitMs }
    const detail = yield* Document.told(answer, bounds)
    discard(answer)
    return {
      detail,
      isFinal: !passing.has(answer.status),
      waitMs: waitMs(answer.header("retry-after"), yield* Clock.currentTimeMillis)
    } satisfies Trouble
  })

  for (let retries = 0; ; retries++) {
    const outcome = yield* Effect.result(once)
    const trouble: Trouble | undefined = yield* troubleIn(outcome)
    if (trouble === undefined && Result.isSuccess(outcome)) return outcome.success
    const { cause, detail, isFinal, waitMs }: Trouble = trouble ?? { detail: "no answer", isFinal: true, waitMs: 0 }
    if (!isRepeatable || isFinal || retries === settings.retryLimit || waitMs > settings.retryAfterLimitMs) {
      return yield* new RegistryUnavailable({ registry, detail, ...(cause === undefined ? {} : { cause }) })
    }
    // Half of it is left to chance, so that callers who were refused together do not come back together.
    const backoffMs = settings.retryDelayMs * 2 ** retries * (0.5 + (yield* Random.next))
    yield* Effect.sleep(Math.max(waitMs, backoffMs))
  }
})
