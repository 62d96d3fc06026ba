/** What images are made, copied and named with: an engine, the registries they come from and go to, and the stack's own name. */
import { Effect, Layer } from "effect"
import { homedir } from "node:os"
import { join } from "node:path"
import * as FunctionImage from "#domain/FunctionImage"
import * as ImageReference from "#domain/ImageReference"
import type { Stack } from "#domain/Stack"
import * as StackIdentity from "#domain/StackIdentity"
import * as DockerApi from "#layers/docker/DockerApi"
import * as DockerImageBuilder from "#layers/docker/DockerImageBuilder"
import * as EngineAddress from "#layers/docker/EngineAddress"
import * as DockerLogins from "#layers/registry/DockerLogins"
import * as OciRegistry from "#layers/registry/OciRegistry"
import * as DockerfileImages from "./DockerfileImages.ts"
import type { ImageSettings } from "./ImageSettings.ts"
import { WrongUsage } from "./Refusal.ts"
import * as RegistryAccess from "./RegistryAccess.ts"

const defaultBrand = "esb"

export const naming = Effect.fnUntraced(function* (settings: ImageSettings) {
  const { brandSlug, environment, projectName, registry, tag } = settings
  const brand = brandSlug ?? (projectName === undefined ? defaultBrand : undefined)
  const identity = yield* Effect.fromResult(
    StackIdentity.resolve({ brandSlug: brand, projectName, network: undefined }, environment)
  ).pipe(Effect.mapError(({ message }) => new WrongUsage({ message })))
  return { identity, registry, tag } satisfies FunctionImage.ImageNaming
})

const engineAddress = ({ dockerHost }: Pick<ImageSettings, "dockerHost">) => {
  const address = EngineAddress.parse(dockerHost)
  return address === undefined
    ? new WrongUsage({ message: `DOCKER_HOST is ${dockerHost}: expected unix:///path or tcp://host:port` })
    : Effect.succeed(address)
}

const hostOf = (image: string): ReadonlyArray<string> => {
  const parsed = ImageReference.parse(image)
  return parsed._tag === "Success" ? [parsed.success.host] : []
}

/** The registry of a setting may have a path behind its host. */
const ownHost = ({ registry }: ImageSettings): string | undefined =>
  registry === undefined ? undefined : hostOf(`${FunctionImage.host(registry)}/image`)[0]

/** Who we are where: as the settings say at the registry of the stack, and as Docker was told at others. */
const loginsOf = Effect.fnUntraced(function* (settings: ImageSettings, hosts: ReadonlySet<string>) {
  const { dockerConfig = join(homedir(), ".docker") } = settings
  const own = ownHost(settings)
  const login = RegistryAccess.ownLogin(settings)
  const isOthers = (host: string) => host !== own || (login === undefined && !ImageReference.isLoopback(host))
  const logins = yield* DockerLogins.forHosts(dockerConfig, new Set([...hosts].filter(isOthers)))
  return new Map([...logins, ...(own === undefined || login === undefined ? [] : [[own, login] as const])])
})

/** An engine, and the registries of these images and of the stack. Fails when no engine answers. */
export const layer = Effect.fnUntraced(function* (settings: ImageSettings, images: ReadonlyArray<string>) {
  const address = yield* engineAddress(settings)
  const own = ownHost(settings)
  const hosts = new Set([...images.flatMap(hostOf), ...(own === undefined ? [] : [own])])
  const credentials = yield* loginsOf(settings, hosts)
  const isPlain = (host: string): boolean =>
    host === own ? RegistryAccess.isPlain(host, settings) : ImageReference.isLoopback(host)
  const insecureHosts = new Set([...settings.insecureRegistries, ...[...hosts].filter(isPlain)])
  const logins = [...credentials].map(([registry, login]) => ({ registry, ...login }))
  return Layer.merge(
    DockerImageBuilder.layer({ engine: settings.dockerHost, logins }).pipe(Layer.provide(DockerApi.layer(address))),
    OciRegistry.layer({ ...RegistryAccess.common(settings), insecureHosts, credentials })
  )
})

/** Names of images that a stack begins with: those of its functions, and the bases of the others. */
export const sources = Effect.fnUntraced(function* (
  { functions }: Stack,
  template: string,
  baseFor: (runtime: string) => string | undefined
) {
  const named = yield* Effect.forEach(functions, ({ code }): Effect.Effect<ReadonlyArray<string>> => {
    if (code._tag === "Image") return Effect.succeed([code.imageUri])
    if (code._tag === "Dockerfile") return DockerfileImages.basesOf(template, code)
    return Effect.succeed([baseFor(code.runtime) ?? []].flat())
  })
  return named.flat()
})
