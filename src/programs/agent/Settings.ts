/** Everything the Agent can be told. Names and defaults are part of its contract. */
import { ByteSize, Duration } from "effect"
import * as BrandNetwork from "#domain/BrandNetwork"
import * as OwnNames from "#domain/OwnNames"
import * as Nameservers from "#layers/dns/Nameservers"
import * as LogLines from "../LogLines.ts"
import * as OwnImage from "../OwnImage.ts"
import * as Setting from "../Setting.ts"
import * as Sight from "../Sight.ts"
import * as WorkerReach from "../WorkerReach.ts"

export const settings = {
  ...Setting.group("Which stack", {
    environment: Setting.required(Setting.Text)("ENV", "Name of the environment, in names and labels of workers"),
    containersNetwork: Setting.optional(Setting.Text)(
      "CONTAINERS_NETWORK",
      "Network of the workers",
      "required, except where workers are child processes"
    ),
    brandSlug: Setting.optional(Setting.Text)("ESB_BRAND_SLUG", "Brand of the stack", "taken from PROJECT_NAME"),
    projectName: Setting.optional(Setting.Text)(
      "PROJECT_NAME",
      "Project of the stack",
      "taken from CONTAINERS_NETWORK"
    ),
    tag: Setting.Text("ESB_TAG", "Tag of image names that are made here", "latest"),
    home: Setting.Text("ESB_HOME", "Directory of the Agent's state; artifacts lie below it", ".esb"),
    ...OwnImage.settings
  }),
  ...Setting.group("Listening", {
    host: Setting.Text("AGENT_HOST", "Address to listen on", "0.0.0.0"),
    port: Setting.Port("PORT", "Port of the gRPC server; 0 lets the system choose", 50_051),
    dataPort: Setting.Port("AGENT_DATA_PORT", "Port of the data door, where Gateways send calls", 50_052),
    dataHost: Setting.optional(Setting.Text)(
      "AGENT_DATA_HOST",
      "Host at which Gateways reach the data door",
      "the one they reached the gRPC server at"
    ),
    metricsPort: Setting.Port("AGENT_METRICS_PORT", "Port of the Prometheus metrics", 9091),
    reflection: Setting.Flag("AGENT_GRPC_REFLECTION", "Tell clients the services of the gRPC server", false),
    maxResponseSize: Setting.ByteSize(
      "AGENT_INVOKE_MAX_RESPONSE_SIZE",
      "Largest answer of a worker that is handed on by gRPC",
      ByteSize.mebibytes(10)
    ),
    readyFd: Setting.optional(Setting.Int({ min: 3 }))(
      "ESB_READY_FD",
      "File descriptor told the URL once the Agent answers",
      "nobody is told"
    ),
    drainTimeout: Setting.Seconds(
      "DRAIN_TIMEOUT",
      "How long calls in flight may take to end when the Agent stops",
      Duration.seconds(30)
    )
  }),
  ...Setting.group("TLS", {
    tls: Setting.Flag("AGENT_GRPC_TLS_ENABLED", "Speak TLS, and only to Gateways that prove themselves", true),
    tlsDisabled: Setting.Flag(
      "AGENT_GRPC_TLS_DISABLED",
      "Speak without TLS, to everybody who can reach the ports, whatever the line above says",
      false
    ),
    certPath: Setting.Text("AGENT_GRPC_CERT_PATH", "Certificate of the server", "/app/config/ssl/server.crt"),
    keyPath: Setting.Text("AGENT_GRPC_KEY_PATH", "Its key", "/app/config/ssl/server.key"),
    caCertPath: Setting.Text(
      "AGENT_GRPC_CA_CERT_PATH",
      "Certificate of the authority that Gateways must be certified by; esb certs makes all of them",
      "/usr/local/share/ca-certificates/rootCA.crt"
    )
  }),
  ...Setting.group("Workers", {
    runtime: Setting.OneOf(["process", "docker", "containerd"])(
      "AGENT_RUNTIME",
      "What starts workers: an engine, or this Agent itself as child processes",
      "docker"
    ),
    ownerLease: Setting.Seconds(
      "OWNER_LEASE_SECONDS",
      "A Gateway that was silent for this long loses its idle workers",
      Duration.seconds(600)
    ),
    initTimeout: Setting.Seconds(
      "INIT_TIMEOUT",
      "How long a worker may take to ask for its first call",
      Duration.seconds(10)
    ),
    workerProtocol: Setting.OneOf(["auto", "runtime-api", "rie"])(
      "AGENT_WORKER_PROTOCOL",
      "How workers are spoken to: by the Runtime API, by an emulator in their image, or as each one shows",
      "auto"
    ),
    rieGrace: Setting.Seconds(
      "AGENT_RIE_GRACE",
      "How long a worker must be silent before an emulator is looked for in it",
      Duration.seconds(1)
    ),
    runtimeApiBind: Setting.optional(Setting.Text)(
      "AGENT_RUNTIME_API_BIND",
      "Address the workers' Runtime API listens on",
      "127.0.0.1 for child processes; for containers the Agent's own address in their network, which on the engine's machine is its gateway"
    ),
    runtimeApiHost: Setting.optional(Setting.Text)(
      "AGENT_RUNTIME_API_HOST",
      "The same address as workers see it, or a name for it",
      "the address it listens on"
    ),
    runtimeApiPorts: Setting.PortRange("AGENT_RUNTIME_API_PORTS", "Ports for it, one per worker", {
      first: 20_000,
      last: 29_999
    }),
    workerFence: Setting.OneOf(["auto", "on", "off"])(
      "WORKER_FENCE",
      "Whether workers in containers are kept from all but their doors, DNS, WORKER_REACH and the internet: where that can be " +
        "done, or not at all if it cannot, or never",
      "auto"
    ),
    workerReach: WorkerReach.Endpoints(
      "WORKER_REACH",
      "Servers in the workers' network and on this machine that workers may use",
      []
    ),
    cpuLimit: Setting.OneOf(["weight", "quota"])(
      "CPU_LIMIT",
      "How memory buys processors, one for 1769 MiB: who has more goes before others where there are too few, or, for workers in " +
        "containers, nobody gets more than that once the function has begun",
      "weight"
    ),
    strictRuntimes: Setting.Flag(
      "STRICT_RUNTIMES",
      "Refuse a function whose exact interpreter version is missing, where workers are child processes",
      false
    )
  }),
  ...Setting.group("Images of workers in containers", {
    registry: Setting.Text(
      "CONTAINER_REGISTRY",
      "Registry of the images of functions that name none: <registry>/<brand>-<function>:<ESB_TAG>",
      "registry:5010"
    ),
    registryUser: Setting.optional(Setting.Text)(
      "CONTAINER_REGISTRY_USER",
      "The user that this registry lets in",
      "nobody in particular"
    ),
    registryPassword: Setting.optional(Setting.Secret)("CONTAINER_REGISTRY_PASSWORD", "That user's password"),
    registryInsecure: Setting.Flag(
      "CONTAINER_REGISTRY_INSECURE",
      "Pull over plain HTTP; a Docker Engine decides by itself, by its insecure-registries",
      false
    ),
    pullPolicy: Setting.OneOf(["if-not-present", "always", "never"])(
      "IMAGE_PULL_POLICY",
      "When the engine pulls an image: where it has none, before every start, or never",
      "if-not-present"
    ),
    dockerHost: Setting.Text(
      "DOCKER_HOST",
      "Where the Docker Engine listens, as unix:///path or tcp://host:port",
      "unix:///var/run/docker.sock"
    )
  }),
  ...Setting.group("containerd and its network", {
    containerdSocket: Setting.Text("CONTAINERD_SOCKET", "Socket of containerd", "/run/containerd/containerd.sock"),
    containerdRuntime: Setting.optional(Setting.Text)(
      "CONTAINERD_RUNTIME",
      "Runtime of workers: a name such as aws.firecracker, or the absolute path of its shim",
      "containerd's own, with runc"
    ),
    containerdRuntimeBinary: Setting.optional(Setting.Text)(
      "CONTAINERD_RUNTIME_BINARY",
      "Program that runc's shim starts in runc's place: crun, or a wrapper of runsc",
      "runc"
    ),
    containerdSnapshotter: Setting.optional(Setting.Text)(
      "CONTAINERD_SNAPSHOTTER",
      "Snapshotter of workers",
      "devmapper for aws.firecracker, else overlayfs"
    ),
    containerdSharedShim: Setting.Flag(
      "CONTAINERD_SHARED_SHIM",
      "Let one process look after all workers: some MiB less for each, and if it crashes all of them are lost at once",
      false
    ),
    preparedWorkers: Setting.Int({ min: 0 })(
      "PREPARED_WORKERS",
      "Containers made ahead for each function that was started lately, so that a start has only to start them; each takes 8 MiB " +
        "with runc, 1 with crun, and a network",
      0
    ),
    preparedWorkersTotal: Setting.Int({ min: 0 })(
      "PREPARED_WORKERS_TOTAL",
      "The most of them for all functions; those that were started last come first",
      32
    ),
    preparedWorkersIdle: Setting.Seconds(
      "PREPARED_WORKERS_IDLE_SECONDS",
      "How long after its last start some are kept for a function",
      Duration.seconds(600)
    ),
    containerdFreeze: Setting.OneOf(["auto", "cgroup", "task"])(
      "CONTAINERD_FREEZE",
      "How workers are frozen: by the kernel's file of their control group, which wakes them within a millisecond, wherever a worker " +
        "has a group of its own, and else by containerd; by that file alone; or by containerd alone",
      "auto"
    ),
    cniConfDir: Setting.Text("CNI_CONF_DIR", "Directory of network configurations", "/etc/cni/net.d"),
    cniBinDir: Setting.Text("CNI_BIN_DIR", "Directory of network plugins", "/opt/cni/bin"),
    cniConfFile: Setting.optional(Setting.Text)(
      "CNI_CONF_FILE",
      "The configuration that is used",
      "<CNI_CONF_DIR>/10-<brand>-net.conflist"
    ),
    cniSubnet: Setting.wordOr("auto", Setting.Ipv4Network)(
      "CNI_SUBNET",
      "Addresses of workers; auto finds them from the brand",
      BrandNetwork.ordinary.subnet
    ),
    cniBridge: Setting.optional(Setting.Text)(
      "CNI_BRIDGE",
      "Bridge of workers",
      "esb0; with auto, one found from the brand"
    ),
    cniDnsServer: Setting.optional(Setting.Ipv4Address)(
      ["CNI_DNS_SERVER", "CNI_GW_IP"],
      "Name server of workers",
      "the machine's own address among them, 10.88.0.1 in 10.88.0.0/16"
    ),
    cniNetDir: Setting.Text("CNI_NET_DIR", "Where the plugins remember addresses", "/var/lib/cni/networks"),
    dns: Setting.OneOf(["auto", "on", "off"])(
      "AGENT_DNS",
      "Whether the Agent itself tells workers names, at the machine's address among them: where they ask there and nobody else " +
        "answers, or not start if it cannot, or never",
      "auto"
    ),
    dnsNames: Setting.ListOf({
      expected: "a name and an address, such as gateway=10.89.0.3",
      read: OwnNames.read,
      write: OwnNames.write
    })("AGENT_DNS_NAMES", "Names that it knows by itself; *.s3-storage=10.89.0.4 is for all below one", []),
    dnsUpstream: Setting.optional(
      Setting.ListOf({
        expected: "an address, such as 10.0.0.2 or 10.0.0.2:5353",
        read: Nameservers.read,
        write: Nameservers.write
      })
    )(
      "AGENT_DNS_UPSTREAM",
      "Name servers that it asks for all others, in this order",
      "those of the machine, from /etc/resolv.conf"
    )
  }),
  ...Setting.group("Logs", LogLines.settings(["AGENT_LOG_LEVEL", "LOG_LEVEL"])),
  ...Sight.settings("VICTORIALOGS_URL")
}
export type AgentSettings = Setting.Values<typeof settings>
