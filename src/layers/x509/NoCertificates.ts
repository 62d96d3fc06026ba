/** Connections in the clear, for machines where nobody else listens. */
import { Effect, Layer, Stream } from "effect"
import { Certificates } from "#services/Certificates"

/** Says once what that means. */
export const layer: Layer.Layer<Certificates> = Layer.effect(
  Certificates,
  Effect.as(
    Effect.logWarning(
      "AGENT_GRPC_TLS_DISABLED: connections between Gateway and Agent are neither encrypted nor checked. Whoever reaches the Agent can start workers, call them and read what they say."
    ),
    Certificates.of({ current: () => undefined, changes: Stream.empty })
  )
)
