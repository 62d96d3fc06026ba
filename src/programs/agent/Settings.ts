/** Everything the Agent can be told. Names and defaults are part of its contract. */
import { ByteSize } from "effect"
import * as Setting from "../Setting.ts"

export const settings = {
  ...Setting.group("Which stack", {
    environment: Setting.required(Setting.Text)("ENV", "Name of the environment, in names and labels of workers"),
    containersNetwork: Setting.required(Setting.Text)("CONTAINERS_NETWORK", "Network of the workers"),
    brandSlug: Setting.optional(Setting.Text)("ESB_BRAND_SLUG", "Brand of the stack", "taken from PROJECT_NAME"),
    projectName: Setting.optional(Setting.Text)(
      "PROJECT_NAME",
      "Project of the stack",
      "taken from CONTAINERS_NETWORK"
    ),
    tag: Setting.Text("ESB_TAG", "Tag of image names that are made here", "latest")
  }),
  ...Setting.group("Listening", {
    port: Setting.Port("PORT", "Port of the gRPC server, on all addresses", 50_051),
    metricsPort: Setting.Port("AGENT_METRICS_PORT", "Port of the Prometheus metrics", 9091),
    reflection: Setting.Flag("AGENT_GRPC_REFLECTION", "Tell clients the services of the gRPC server", false),
    maxResponseSize: Setting.ByteSize(
      "AGENT_INVOKE_MAX_RESPONSE_SIZE",
      "Largest answer of a worker that is handed on by gRPC",
      ByteSize.mebibytes(10)
    )
  }),
  ...Setting.group("TLS", {
    tlsDisabled: Setting.Flag("AGENT_GRPC_TLS_DISABLED", "Speak gRPC without TLS", false),
    certPath: Setting.Text("AGENT_GRPC_CERT_PATH", "Certificate of the server", "/app/config/ssl/server.crt"),
    keyPath: Setting.Text("AGENT_GRPC_KEY_PATH", "Its key", "/app/config/ssl/server.key"),
    caCertPath: Setting.Text(
      "AGENT_GRPC_CA_CERT_PATH",
      "Certificate of the authority that clients must be certified by",
      "/usr/local/share/ca-certificates/rootCA.crt"
    )
  }),
  ...Setting.group("Workers", {
    runtime: Setting.OneOf(["docker", "containerd"])("AGENT_RUNTIME", "Engine that starts workers", "docker"),
    registry: Setting.Text("CONTAINER_REGISTRY", "Registry of images without one", "registry:5010"),
    registryInsecure: Setting.Flag("CONTAINER_REGISTRY_INSECURE", "Pull over plain HTTP", false),
    pullPolicy: Setting.OneOf(["if-not-present", "always"])(
      "IMAGE_PULL_POLICY",
      "When containerd pulls an image",
      "if-not-present"
    )
  }),
  ...Setting.group("containerd and its network", {
    containerdSocket: Setting.Text("CONTAINERD_SOCKET", "Socket of containerd", "/run/containerd/containerd.sock"),
    containerdRuntime: Setting.optional(Setting.Text)("CONTAINERD_RUNTIME", "Runtime of workers", "containerd's own"),
    containerdSnapshotter: Setting.optional(Setting.Text)(
      "CONTAINERD_SNAPSHOTTER",
      "Snapshotter of workers",
      "devmapper for aws.firecracker, else overlayfs"
    ),
    cniConfDir: Setting.Text("CNI_CONF_DIR", "Directory of network configurations", "/etc/cni/net.d"),
    cniBinDir: Setting.Text("CNI_BIN_DIR", "Directory of network plugins", "/opt/cni/bin"),
    cniConfFile: Setting.optional(Setting.Text)(
      "CNI_CONF_FILE",
      "The configuration that is used",
      "<CNI_CONF_DIR>/10-<brand>-net.conflist"
    ),
    cniSubnet: Setting.Text("CNI_SUBNET", "Addresses of workers", "10.88.0.0/16"),
    cniBridge: Setting.optional(Setting.Text)("CNI_BRIDGE", "Bridge of workers", "esb0"),
    cniDnsServer: Setting.Text(["CNI_DNS_SERVER", "CNI_GW_IP"], "Name server of workers", "10.88.0.1"),
    cniNetDir: Setting.Text("CNI_NET_DIR", "Where the plugins remember addresses", "/var/lib/cni/networks")
  }),
  ...Setting.group("Logs", {
    logLevel: Setting.OneOf(["debug", "info", "warn", "warning", "error"])(
      ["AGENT_LOG_LEVEL", "LOG_LEVEL"],
      "Least important line that is written",
      "info"
    ),
    logFormat: Setting.OneOf(["text", "json"])("AGENT_LOG_FORMAT", "Form of the lines, on stderr", "text")
  })
}
export type AgentSettings = Setting.Values<typeof settings>
