/** What `esb doctor` says of the registry that images come from. */
import { Duration, Effect, Result } from "effect"
import { parse } from "#domain/ImageReference"
import * as OciRegistry from "#layers/registry/OciRegistry"
import { Registry } from "#services/Registry"
import type { Finding } from "./Finding.ts"
import * as RegistryAccess from "./RegistryAccess.ts"
import type { RegistrySettings } from "./RegistrySettings.ts"

/** How long the registry may take to answer. */
const patience = Duration.seconds(5)

/** Both engines fetch images from there. */
const modes = ["docker", "containerd"] as const

const remedies = {
  InvalidParameter: "write it as host or host:port, without https:// and without a path",
  AuthorityUnreadable: "let CONTAINER_REGISTRY_CA name a PEM file",
  RegistryUnauthorized: "set CONTAINER_REGISTRY_USER and CONTAINER_REGISTRY_PASSWORD to what it lets in",
  RegistryUnavailable:
    "start it; CONTAINER_REGISTRY_INSECURE=1 when it speaks plain HTTP, CONTAINER_REGISTRY_CA when an authority of yours certified it",
  TimeoutError: "start it, or name another"
}

const layerOf = (host: string, settings: RegistrySettings) => {
  const login = RegistryAccess.ownLogin(settings)
  return OciRegistry.layer({
    ...RegistryAccess.common(settings),
    insecureHosts: new Set(RegistryAccess.isPlain(host, settings) ? [host] : []),
    credentials: new Map(login === undefined ? [] : [[host, login]]),
    // A look, not a pull: who looks again is the reader.
    retryLimit: 0
  })
}

/** The whole of the text is a host when it is the host of an image there. */
const hostIn = (text: string) =>
  Effect.fromResult(Result.map(parse(`${text}/image`), ({ host, repository }) => ({ host, repository }))).pipe(
    Effect.filterOrElse(
      ({ repository }) => repository === "image" || repository === "library/image",
      () => Effect.fail({ _tag: "InvalidParameter" as const, message: `${JSON.stringify(text)} is no host` })
    ),
    Effect.map(({ host }) => host)
  )

/** Nothing when no registry is named. */
export const findings = Effect.fnUntraced(function* (
  settings: RegistrySettings
): Effect.fn.Return<ReadonlyArray<Finding>> {
  const { registry: named } = settings
  if (named === undefined) return []
  const looked = yield* hostIn(named).pipe(
    Effect.tap((host) =>
      Effect.flatMap(Registry, (registry) => registry.ping(host)).pipe(Effect.provide(layerOf(host, settings)))
    ),
    Effect.timeout(patience),
    Effect.match({
      onSuccess: (host) => ({
        state: "ok" as const,
        detail: RegistryAccess.isPlain(host, settings) ? `${host}, in plain HTTP` : host,
        remedy: ""
      }),
      onFailure: ({ _tag, message }) => ({ state: "missing" as const, detail: message, remedy: remedies[_tag] })
    })
  )
  return modes.map((mode) => ({ mode, what: "the registry of images", ...looked }))
})
