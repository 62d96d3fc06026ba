/** What is told of a worker whose container did not start, whatever failed on its way. */
import { ArtifactNotFound, RuntimeUnavailable, RuntimeUnsupported } from "./Failure.ts"
import type { FunctionName } from "./FunctionName.ts"

/** Of an engine, a network, a pipe. */
interface EngineFailure {
  readonly _tag: string
  readonly message: string
}

export type StartFailure = ArtifactNotFound | RuntimeUnavailable | RuntimeUnsupported

/** `isReachable`: the engine answers. */
export const make = (functionName: FunctionName, failure: EngineFailure, isReachable: boolean): StartFailure => {
  if (failure instanceof ArtifactNotFound || failure instanceof RuntimeUnsupported) return failure
  const about = { functionName, ...(isReachable ? {} : { isAway: true }) }
  return failure instanceof RuntimeUnavailable
    ? new RuntimeUnavailable({ ...about, detail: failure.detail, cause: failure.cause })
    : new RuntimeUnavailable({ ...about, detail: failure.message, cause: failure })
}
