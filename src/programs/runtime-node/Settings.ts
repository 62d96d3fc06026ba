/** Everything a runtime node can be told. What its Agent is told besides is the Agent's. */
import { Duration } from "effect"
import * as LogLines from "../LogLines.ts"
import * as Setting from "../Setting.ts"
import * as WorkerReach from "../WorkerReach.ts"

export const settings = {
  ...Setting.group("What runs here", {
    imageRuntime: Setting.optional(Setting.OneOf(["containerd"]))(
      "IMAGE_RUNTIME",
      "Set by the image of this program: the engine that it is made for",
      "this program is in no image of its own"
    ),
    agentRuntime: Setting.OneOf(["containerd"])("AGENT_RUNTIME", "What starts workers", "containerd"),
    agent: Setting.Flag("RUNTIME_NODE_AGENT", "Run an Agent here as well, told by the same environment", false),
    drainTimeout: Setting.Seconds(
      "DRAIN_TIMEOUT",
      "How long calls in flight may take to end when the Agent stops",
      Duration.seconds(30)
    ),
    ...LogLines.settings("LOG_LEVEL")
  }),
  ...Setting.group("containerd", {
    containerdBin: Setting.Text("CONTAINERD_BIN", "The program", "containerd"),
    containerdConfig: Setting.optional(Setting.Text)(
      "CONTAINERD_CONFIG",
      "Its configuration file",
      "one of our own, without what Kubernetes needs; /etc/firecracker-containerd/config.toml for aws.firecracker"
    ),
    containerdSocket: Setting.Text("CONTAINERD_SOCKET", "Where it listens", "/run/containerd/containerd.sock"),
    containerdRuntime: Setting.optional(Setting.Text)(
      "CONTAINERD_RUNTIME",
      "Runtime of workers; for aws.firecracker this machine has to give virtual machines what they need",
      "containerd's own"
    ),
    devmapperPool: Setting.optional(Setting.Text)(
      "DEVMAPPER_POOL",
      "Pool of the device mapper from which workers get disks; it has to be there",
      "no worker has one"
    ),
    devmapperDirectory: Setting.Text(
      "DEVMAPPER_DIR",
      "Where containerd keeps what it knows of the pool",
      "/var/lib/containerd/devmapper2"
    ),
    vhostVsockRequired: Setting.Flag(
      "VHOST_VSOCK_REQUIRED",
      "For aws.firecracker: refuse to start without /dev/vhost-vsock, in place of a warning",
      false
    )
  }),
  ...Setting.group("Control groups of the second version", {
    cgroupDelegation: Setting.Flag("CGROUP_DELEGATION", "Hand controllers on to the groups of workers", true),
    cgroupParent: Setting.Text("CGROUP_PARENT", "Group of workers and of what looks after them", "esb"),
    cgroupLeaf: Setting.Text("CGROUP_LEAF", "Group in it, of this program and what it starts", "runtime-node"),
    cgroupControllers: Setting.Text("CGROUP_CONTROLLERS", "What is handed on", "cpu io memory pids")
  }),
  ...Setting.group("Network", {
    cniSubnet: Setting.optional(Setting.wordOr("auto", Setting.Ipv4Network))(
      "CNI_SUBNET",
      "Addresses of workers",
      "what the Agent has written into /var/lib/cni/esb-cni.env"
    ),
    cniBridge: Setting.Text("CNI_BRIDGE", "Bridge of workers, where CNI_SUBNET is given", "esb0"),
    cniDnsServer: Setting.optional(Setting.Ipv4Address)(
      "CNI_DNS_SERVER",
      "Name server of workers, which they may use wherever it is",
      "this machine"
    ),
    workerReach: WorkerReach.Endpoints(
      "WORKER_REACH",
      "Servers that workers may use in the networks which this machine is in itself; all else there is closed",
      []
    ),
    wireguardNet: Setting.optional(Setting.Text)(
      "WG_CONTROL_NET",
      "Network behind a WireGuard gateway, such as 10.99.0.0/24, to which a route is made",
      "none is made"
    ),
    wireguardGateway: Setting.optional(Setting.Text)(
      "WG_CONTROL_GW",
      "Address of that gateway",
      "that of WG_CONTROL_GW_HOST, else the gateway of the default route"
    ),
    wireguardGatewayHost: Setting.Text("WG_CONTROL_GW_HOST", "Name of that gateway, asked for 30 seconds", "gateway")
  })
}
export type RuntimeNodeSettings = Setting.Values<typeof settings>
