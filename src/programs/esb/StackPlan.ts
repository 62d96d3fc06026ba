/** What a stack in containers is called, where it answers, and what its Compose file is told: all decided before anything starts. */
import { Effect, Redacted } from "effect"
import { stat } from "node:fs/promises"
import { isIPv4, isIPv6 } from "node:net"
import { isAbsolute, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import * as RuntimeName from "#domain/RuntimeName"
import * as StackIdentity from "#domain/StackIdentity"
import * as EngineAddress from "#layers/docker/EngineAddress"
import { ComposeEngineUnreachable } from "#services/ComposeStack"
import * as Access from "./Access.ts"
import * as MachineRights from "./MachineRights.ts"
import { WrongUsage } from "./Refusal.ts"
import type * as RunFile from "./RunFile.ts"
import type { UpSettings } from "./Settings.ts"
import * as StackFiles from "./StackFiles.ts"
import type { StackSettings } from "./StackSettings.ts"

/** `dist` has them beside itself. */
const ownComposeFiles = (mode: RunFile.ContainerMode): ReadonlyArray<string> =>
  ["services.yml", `${mode}.yml`].map((name) => fileURLToPath(new URL(`../compose/${name}`, import.meta.url)))

/** The registry of a stack in the network of its services, where a containerd is. */
export const registryInside = "registry:5010"

const httpsPort = 443
const answersLocally: ReadonlySet<string> = new Set(["0.0.0.0", "::", "127.0.0.1"])
const defaultBrand = "esb"

/** As Compose has it. */
const projectPattern = /^[a-z0-9][a-z0-9_-]*$/

const identityOf = ({ brandSlug, environment, projectName }: StackSettings) =>
  Effect.gen(function* () {
    const project = projectName ?? `${brandSlug ?? defaultBrand}-${environment}`.toLowerCase()
    if (!projectPattern.test(project)) {
      const source =
        projectName === undefined ? "the name of the stack, which ESB_BRAND_SLUG and ENV make," : "PROJECT_NAME"
      return yield* new WrongUsage({
        message: `${source} is ${JSON.stringify(project)}: Compose wants lower case letters, digits, - and _, a letter or digit first`
      })
    }
    // As the Agent makes it of the same two.
    const identity = yield* Effect.fromResult(
      StackIdentity.resolve({ brandSlug: undefined, projectName: project, network: undefined }, environment)
    ).pipe(Effect.mapError(({ message }) => new WrongUsage({ message })))
    if (brandSlug !== undefined && identity.brand !== brandSlug) {
      return yield* new WrongUsage({
        message: `ESB_BRAND_SLUG is ${brandSlug}, but PROJECT_NAME ${project} makes the brand ${identity.brand}: leave one out`
      })
    }
    return { project, ...identity }
  })

/** Directories of this machine are mounted, and where the engine starts workers its socket is. */
const socketOf = ({ dockerHost }: StackSettings) => {
  const address = EngineAddress.parse(dockerHost)
  return address !== undefined && "socketPath" in address && isAbsolute(address.socketPath)
    ? Effect.succeed(address.socketPath)
    : new WrongUsage({
        message: `DOCKER_HOST (--docker-host) is ${dockerHost}: a stack in containers needs an engine of this machine, unix:///path`
      })
}

/** Who is in it may use the socket. */
const groupOf = (socket: string): Effect.Effect<number, string> =>
  Effect.tryPromise({
    try: () => stat(socket).then(({ gid }) => gid),
    catch: (cause) => {
      const { code, message } = cause as NodeJS.ErrnoException
      return code === "ENOENT" ? `there is no ${socket}` : message
    }
  })

const urlOf = ({ gatewayBind, gatewayPort }: StackSettings): string => {
  const host = answersLocally.has(gatewayBind) ? "localhost" : isIPv6(gatewayBind) ? `[${gatewayBind}]` : gatewayBind
  return `https://${host}${gatewayPort === httpsPort ? "" : `:${gatewayPort}`}`
}

/** A later one adds to those before it. */
export const composeFilesOf = (
  mode: RunFile.ContainerMode,
  { composeFiles }: Pick<StackSettings, "composeFiles">
): ReadonlyArray<string> => [...ownComposeFiles(mode), ...composeFiles.map((file) => resolve(file))]

const isNet = (text: string): boolean => /^\d{1,3}\.\d{1,3}$/.test(text) && isIPv4(`${text}.0.0`)

export interface StackPlan {
  readonly run: RunFile.ContainerRun
  /** Of the Compose files, but for the networks of workers: which are free, the engine knows. */
  readonly variables: Readonly<Record<string, string>>
  readonly secrets: StackFiles.Secrets
}

/** Said of workers that a containerd starts; what is not said, the Agent decides. */
const containerdVariables = (settings: StackSettings): Readonly<Record<string, string>> => ({
  CONTAINERD_RUNTIME: settings.containerdRuntime ?? "",
  CONTAINERD_RUNTIME_BINARY: settings.containerdRuntimeBinary ?? "",
  CONTAINERD_SNAPSHOTTER: settings.containerdSnapshotter ?? "",
  PORT_AGENT_GRPC: String(settings.agentPort)
})

export const make = Effect.fnUntraced(function* (of: {
  readonly mode: RunFile.ContainerMode
  readonly home: string
  readonly template: string
  readonly settings: UpSettings & StackSettings
  readonly access: Access.Access
  /** What the Compose files are told besides, as it was given. */
  readonly given: Readonly<Record<string, string>>
  /** PEM file of the authority that certifies the Gateway. */
  readonly authority: string
  /** What containers read of the certificates. */
  readonly certificateDirectory: string
}) {
  const { access, authority, certificateDirectory, home, mode, settings, template } = of
  const { brand, environment, project } = yield* identityOf(settings)
  const socket = yield* socketOf(settings)
  if (settings.workersNet !== undefined && !isNet(settings.workersNet)) {
    return yield* new WrongUsage({
      message: `WORKERS_NET is ${settings.workersNet}: expected two numbers up to 255, such as 10.89`
    })
  }
  const wrong =
    mode === "containerd" ? RuntimeName.complaints(settings.containerdRuntime, settings.containerdRuntimeBinary) : []
  if (wrong.length > 0) return yield* new WrongUsage({ message: wrong.join("\n") })
  const unmountable = [home, certificateDirectory].find((path) => path.includes(":"))
  if (unmountable !== undefined) {
    return yield* new WrongUsage({
      message: `${unmountable} has a colon in it, and cannot be mounted into containers: choose another place with --home`
    })
  }
  const engineGroup = yield* groupOf(socket).pipe(
    Effect.mapError((detail) => new ComposeEngineUnreachable({ engine: settings.dockerHost, detail }))
  )
  const user = StackFiles.containerUser()
  const isLesser = mode === "containerd" && (yield* Effect.promise(MachineRights.withheld)) > 0

  const plan: StackPlan = {
    run: {
      version: 1,
      mode,
      gateway: urlOf(settings),
      region: settings.region,
      ...Access.revealed(access),
      template,
      authority,
      project,
      brand,
      environment,
      registry: `127.0.0.1:${settings.registryPort}`,
      ...(mode === "containerd" ? { agentRegistry: registryInside } : {}),
      engine: settings.dockerHost,
      composeFiles: composeFilesOf(mode, settings),
      environmentFile: join(home, "compose.env")
    },
    variables: {
      // An engine refuses to give all rights where the machine has not got them; those that are needed will do.
      ...(isLesser ? { RUNTIME_NODE_PRIVILEGED: "false" } : {}),
      ...of.given,
      PROJECT_NAME: project,
      ENV: environment,
      ESB_TAG: settings.tag,
      ESB_REGISTRY: settings.serverRegistry,
      CERT_DIR: certificateDirectory,
      CONFIG_DIR: join(home, "config"),
      SECRETS_DIR: StackFiles.secretsIn(home),
      RUN_UID: String(user.uid),
      RUN_GID: String(user.gid),
      ...(mode === "docker"
        ? { DOCKER_GID: String(engineGroup), DOCKER_SOCKET: socket }
        : containerdVariables(settings)),
      AWS_REGION: settings.region,
      AUTH_USER: access.authUser,
      ESB_ACCESS_KEY_ID: access.accessKeyId,
      RUSTFS_ACCESS_KEY: settings.storeUser,
      ...(settings.routeAuth === undefined ? {} : { ROUTE_AUTH: settings.routeAuth }),
      GATEWAY_BIND: settings.gatewayBind,
      ESB_PUBLISH_ADDRESS: settings.publishAddress,
      PORT_GATEWAY_HTTPS: String(settings.gatewayPort),
      PORT_REGISTRY: String(settings.registryPort),
      PORT_S3: String(settings.s3Port),
      PORT_S3_MGMT: String(settings.s3ConsolePort),
      PORT_DATABASE: String(settings.databasePort),
      PORT_VICTORIALOGS: String(settings.logsPort),
      PORT_VICTORIATRACES: String(settings.tracesPort),
      PORT_AGENT_METRICS: String(settings.agentMetricsPort)
    },
    secrets: {
      jwt_secret_key: access.jwtSecretKey,
      x_api_key: access.apiKey,
      auth_pass: access.authPass,
      esb_secret_access_key: access.secretAccessKey,
      rustfs_secret_key: settings.storeSecret ?? access.storeSecret
    } satisfies Record<string, Redacted.Redacted>
  }
  return plan
})
