/** What `esb up` can be told besides of a stack in containers: names, images and ports of the containers that are the stack. */
import { Duration } from "effect"
import * as Setting from "../Setting.ts"
import { images } from "./ImageSettings.ts"
import { settings } from "./Settings.ts"

const { brandSlug, cache, dockerHost, environment, tag } = images

const ports = Setting.group("Addresses and ports in containers", {
  gatewayBind: Setting.Text("GATEWAY_BIND", "Address of this machine on which the Gateway answers", "0.0.0.0"),
  publishAddress: Setting.OneOf(["127.0.0.1", "0.0.0.0"])(
    "ESB_PUBLISH_ADDRESS",
    "Where everything else answers: this machine, or every other one, too; the registry and the logs ask for no password",
    "127.0.0.1"
  ),
  gatewayPort: Setting.Port("PORT_GATEWAY_HTTPS", "Port of the Gateway", 443),
  registryPort: Setting.Port("PORT_REGISTRY", "Port of the registry of images", 5010),
  s3Port: Setting.Port("PORT_S3", "Port of the S3 store", 9000),
  s3ConsolePort: Setting.Port("PORT_S3_MGMT", "Port of the S3 store's console", 9001),
  databasePort: Setting.Port("PORT_DATABASE", "Port of the table store", 8000),
  logsPort: Setting.Port("PORT_VICTORIALOGS", "Port of the log store", 9428),
  tracesPort: Setting.Port("PORT_VICTORIATRACES", "Port of the trace store", 10428),
  agentMetricsPort: Setting.Port("PORT_AGENT_METRICS", "Port of the Agent's metrics", 9091)
})

/** What starts workers where no Docker Engine does. */
const containerd = Setting.group("Workers by containerd", {
  containerdRuntime: Setting.optional(Setting.Text)(
    "CONTAINERD_RUNTIME",
    "Runtime of workers: a name such as aws.firecracker, or the absolute path of its shim in the runtime node",
    "containerd's own, with runc"
  ),
  containerdRuntimeBinary: Setting.optional(Setting.Text)(
    "CONTAINERD_RUNTIME_BINARY",
    "Program that runc's shim starts in runc's place, in the runtime node: crun, or a wrapper of runsc",
    "runc"
  ),
  containerdSnapshotter: Setting.optional(Setting.Text)(
    "CONTAINERD_SNAPSHOTTER",
    "Snapshotter of workers",
    "devmapper for aws.firecracker, else overlayfs"
  ),
  cniSubnet: Setting.optional(Setting.Ipv4Network)(
    "CNI_SUBNET",
    "Network of the workers, inside the runtime node",
    "found from the brand, a /23 of 10.0.0.0/8"
  ),
  cniBridge: Setting.optional(Setting.Text)("CNI_BRIDGE", "Its bridge", "found from the brand"),
  agentPort: Setting.Port("PORT_AGENT_GRPC", "Port of the Agent, to those whom the stack's authority certifies", 50_051)
})

/** What only a stack with a containerd can be told. */
export const containerdOnly: ReadonlyArray<keyof typeof containerd> = [
  "containerdRuntime",
  "containerdRuntimeBinary",
  "containerdSnapshotter",
  "cniSubnet",
  "cniBridge",
  "agentPort"
]

export const stack = {
  ...Setting.group("In containers", {
    projectName: Setting.optional(Setting.Text)(
      "PROJECT_NAME",
      "Project of the stack, with which the names of its containers begin",
      "<ESB_BRAND_SLUG>-<ENV>"
    ),
    environment,
    brandSlug,
    composeFiles: Setting.List(
      "ESB_COMPOSE_FILES",
      "Compose files of your own: each adds to, or changes, what those in compose/ and those before it say",
      []
    ),
    serverRegistry: Setting.Text("ESB_REGISTRY", "What stands before the names of our own images, with its slash", ""),
    tag,
    nodeImage: Setting.optional(Setting.Text)(
      "ESB_NODE_IMAGE",
      "Image of yours with Node, iptables and, for workers by containerd, what runs them, of which our own are made",
      "the public one"
    ),
    cache,
    dockerHost,
    workersNet: Setting.optional(Setting.Text)(
      "WORKERS_NET",
      "First two numbers of the workers' network",
      "10.89, or the next up to 10.127 that is free"
    ),
    storeUser: Setting.Text("RUSTFS_ACCESS_KEY", "Root user of the S3 store", "esb-root"),
    storeSecret: Setting.optional(Setting.Secret)("RUSTFS_SECRET_KEY", "Its secret", "made once, kept in the home"),
    readyTimeout: Setting.Seconds(
      "ESB_READY_TIMEOUT",
      "How long services may take to become healthy",
      Duration.minutes(5)
    )
  }),
  ...containerd,
  ...ports
}
export type StackSettings = Setting.Values<typeof stack>

/** All that a stack in containers can be told. */
export const inContainers = { ...settings, ...stack }
