/** What images of functions are made of, and how they are called. */
import { prewarms } from "#domain/MirroredImage"
import * as Setting from "../Setting.ts"
import { registry } from "./RegistrySettings.ts"

export const images = {
  ...registry,
  ...Setting.group("Names of images", {
    registry: Setting.optional(Setting.Text)(
      "CONTAINER_REGISTRY",
      "Registry that images are named for and pushed to, such as 127.0.0.1:5010",
      "none, images stay in the engine"
    ),
    tag: Setting.Text("ESB_TAG", "Tag of the images", "latest"),
    brandSlug: Setting.optional(Setting.Text)(
      "ESB_BRAND_SLUG",
      "Brand of the stack, the beginning of every name",
      "taken from PROJECT_NAME, else esb"
    ),
    projectName: Setting.optional(Setting.Text)("PROJECT_NAME", "Project of the stack", "none"),
    environment: Setting.Text("ENV", "Name of the environment, in labels", "default")
  }),
  ...Setting.group("Images that templates name", {
    imagePrewarm: Setting.OneOf(prewarms)(
      "ESB_IMAGE_PREWARM",
      "Which are copied into the registry: all again, those that are missing there, or none (off)",
      "missing"
    ),
    insecureRegistries: Setting.List(
      "ESB_INSECURE_REGISTRIES",
      "Registries that are spoken to in plain HTTP, as host:port; those of this machine are",
      []
    ),
    dockerConfig: Setting.optional(Setting.Text)(
      "DOCKER_CONFIG",
      "Directory of the config.json with Docker's logins",
      "~/.docker"
    )
  }),
  ...Setting.group("Making images", {
    cache: Setting.Flag("ESB_BUILD_CACHE", "Leave out images and steps that are made already", true),
    dockerHost: Setting.Text(
      "DOCKER_HOST",
      "The Docker Engine, unix:///path or tcp://host:port",
      "unix:///var/run/docker.sock"
    )
  })
}
export type ImageSettings = Setting.Values<typeof images>
