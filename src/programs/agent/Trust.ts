/** Whom workers in containers believe when they call the Gateway: files that this Agent writes and the engine mounts in them. */
import { join } from "node:path"
import { Effect, Option } from "effect"
import * as EnginePath from "#layers/docker/EnginePath"
import * as OwnContainer from "#layers/docker/OwnContainer"
import { WorkersNetwork } from "#layers/docker/WorkersNetwork"
import * as TrustBundle from "#layers/x509/TrustBundle"
import * as PeerCertificates from "../PeerCertificates.ts"
import type { AgentSettings } from "./Settings.ts"

const directoryName = "worker-ca"

const placeOf = Effect.fnUntraced(function* (directory: string) {
  const own = yield* OwnContainer.find
  if (Option.isSome(own)) return EnginePath.fromContainer(own.value.mounts, directory)
  const { standing } = yield* WorkersNetwork
  return standing?.of === "machine" ? directory : undefined
})

/** Directory on the engine's machine; `undefined` without TLS, and where the engine does not see what this Agent writes. */
export const directory = Effect.fnUntraced(function* (values: AgentSettings, home: string) {
  if (!PeerCertificates.isSecure({ enabled: values.tls, disabled: values.tlsDisabled })) return undefined
  const directory = join(home, directoryName)
  const place = yield* placeOf(directory)
  if (place === undefined) {
    yield* Effect.logWarning(
      `Workers are not told of the authority in ${values.caCertPath}: the engine does not see ${home}, which should be a volume`
    )
    return undefined
  }
  yield* TrustBundle.keep({ directory, authorityPath: values.caCertPath })
  return place
})
