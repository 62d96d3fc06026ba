/** The registry of a stack's images: the same variables as an Agent reads, and how to be let in. */
import * as Setting from "../Setting.ts"

export const registry = Setting.group("Registry", {
  registry: Setting.optional(Setting.Text)(
    "CONTAINER_REGISTRY",
    "Registry of images, as host or host:port",
    "not looked for"
  ),
  registryInsecure: Setting.Flag("CONTAINER_REGISTRY_INSECURE", "Speak to it in plain HTTP", false),
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
  registryPassword: Setting.optional(Setting.Secret)("CONTAINER_REGISTRY_PASSWORD", "That user's password")
})
export type RegistrySettings = Setting.Values<typeof registry>
