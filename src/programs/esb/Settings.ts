/** What `esb up` can be told. Every setting of the Gateway counts, too: the environment is handed on. */
import { Duration } from "effect"
import * as Setting from "../Setting.ts"

/** How a template is read and built. */
export const building = Setting.group("Building", {
  region: Setting.Text(
    ["AWS_REGION", "AWS_DEFAULT_REGION"],
    "Region told to functions and written into ARNs",
    "us-east-1"
  ),
  allowUnsupported: Setting.Flag(
    "ESB_ALLOW_UNSUPPORTED",
    "Warn of what the template asks for and is not offered, instead of refusing it",
    false
  ),
  buildConcurrency: Setting.Int({ min: 1, max: 64 })("ESB_BUILD_CONCURRENCY", "Functions built at the same time", 4)
})

export const settings = {
  ...Setting.group("Mode", {
    mode: Setting.OneOf(["embedded", "docker", "containerd"])(
      "ESB_MODE",
      "What runs the stack: this command, for as long as it lasts, or a Docker Engine, until esb down, with workers of its own or of a " +
        "containerd in the stack",
      "embedded"
    )
  }),
  ...Setting.group("Listening", {
    port: Setting.Port("PORT", "TCP port; 0 lets the system choose", 8080),
    host: Setting.Text("HOST", "Address to listen on", "127.0.0.1"),
    routeAuth: Setting.optional(Setting.OneOf(["template", "jwt"]))(
      "ROUTE_AUTH",
      "Whether routes want a token: as the template says, or always",
      "template; jwt in containers"
    ),
    open: Setting.Flag("ESB_OPEN", "Let other machines call routes that want no token", false)
  }),
  ...building,
  ...Setting.group("Running", {
    watch: Setting.Flag("ESB_WATCH", "Build again when a source changes", true),
    agent: Setting.Flag(
      "ESB_AGENT",
      "Let an Agent beside the Gateway run the workers, reached over mTLS: they outlive a restart of the Gateway",
      false
    ),
    drainTimeout: Setting.Seconds(
      "DRAIN_TIMEOUT",
      "How long calls in flight may take to end at a stop",
      Duration.seconds(10)
    ),
    verbose: Setting.Flag("ESB_VERBOSE", "Show what the Gateway says of itself", false)
  }),
  ...Setting.group("Credentials", {
    accessKeyId: Setting.optional(Setting.Text)(
      "ESB_ACCESS_KEY_ID",
      "Access key of the stack",
      "made once, kept in the home"
    ),
    secretAccessKey: Setting.optional(Setting.Secret)(
      "ESB_SECRET_ACCESS_KEY",
      "Its secret",
      "made once, kept in the home"
    ),
    jwtSecretKey: Setting.optional(Setting.Secret)("JWT_SECRET_KEY", "Signs tokens", "made once, kept in the home"),
    apiKey: Setting.optional(Setting.Secret)(
      "X_API_KEY",
      "Key that the token endpoint wants",
      "made once, kept in the home"
    ),
    authUser: Setting.optional(Setting.Text)("AUTH_USER", "The user who may get a token", "admin"),
    authPass: Setting.optional(Setting.Secret)("AUTH_PASS", "That user's password", "made once, kept in the home")
  })
}
export type UpSettings = Setting.Values<typeof settings>
export type BuildSettings = Setting.Values<typeof building>
