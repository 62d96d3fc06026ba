/** Nobody looks at traces: a trace that begins here still says that it is sampled, as callers' own do that say nothing. */
import { Layer } from "effect"
import { Tracing } from "#services/Tracing"

export const layer = Layer.succeed(Tracing, { sampleNew: () => "1", begin: () => undefined })
