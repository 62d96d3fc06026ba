/** The registry of a stack's images: the same variables as an Agent reads, and how to be let in. */
import * as Setting from "../Setting.ts"

export const registry = Setting.group("Registry", {
  registry: Setting.optional(Setting.Text)(
    "CONTAINER_REGISTRY",
    "Registry of images, as host or host:port",
    "not looked for"
  ),
  registryInsecure: Setting.optional(Setting.Flag)(
    "CONTAINER_REGISTRY_INSECURE",
    "Speak to it in plain HTTP",
    "only to one on this machine without CONTAINER_REGISTRY_CA"
  ),
  registryCa: Setting.optional(Setting.Text)(
    "CONTAINER_REGISTRY_CA",
    "PEM file of authorities that it may be certified by",
    "the public ones alone"
  ),
  registryUser: Setting.optional(Setting.Text)(
    "CONTAINER_REGISTRY_USER",
    "The user it lets in",
    "nobody in particular"
  ),
  registryPassword: Setting.optional(Setting.Secret)("CONTAINER_REGISTRY_PASSWORD", "That user's password"),
  httpProxy: Setting.optional(Setting.HttpUrl)(
    ["HTTP_PROXY", "http_proxy"],
    "The way to registries in plain HTTP; this machine is always spoken to directly",
    "none"
  ),
  httpsProxy: Setting.optional(Setting.HttpUrl)(
    ["HTTPS_PROXY", "https_proxy"],
    "The way to registries over TLS",
    "none"
  ),
  noProxy: Setting.Text(["NO_PROXY", "no_proxy"], "Hosts that are spoken to directly, separated by commas", "")
})
export type RegistrySettings = Setting.Values<typeof registry>
