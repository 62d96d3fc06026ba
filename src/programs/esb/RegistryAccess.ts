/** How registries are spoken to: encrypted or not, by way of which proxies, and as whom. */
import type { RegistryCredentials, RegistrySettings as Access } from "#layers/registry/RegistrySettings"
import { isLoopback } from "#domain/ImageReference"
import type { RegistrySettings } from "./RegistrySettings.ts"

/** Nobody listens between this machine and itself; an authority is named where there is TLS all the same. */
export const isPlain = (
  host: string,
  { registryCa, registryInsecure }: Pick<RegistrySettings, "registryCa" | "registryInsecure">
): boolean => registryInsecure ?? (isLoopback(host) && registryCa === undefined)

/** The user that the settings name for the registry of the stack. */
export const ownLogin = ({
  registryPassword: password,
  registryUser: username
}: Pick<RegistrySettings, "registryPassword" | "registryUser">): RegistryCredentials | undefined =>
  username === undefined || password === undefined ? undefined : { username, password }

/** What the settings say of every registry. */
export const common = ({
  httpProxy: http,
  httpsProxy: https,
  noProxy: none,
  registryCa: authorityPath
}: RegistrySettings): Pick<Access, "authorityPath" | "proxies"> => ({ authorityPath, proxies: { http, https, none } })
