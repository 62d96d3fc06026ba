/** What a containerd is told that runs workers and nothing else, in the language of its `config.toml`. */

export interface ContainerdPlan {
  readonly root: string
  readonly state: string
  readonly socket: string
  /** Disks of workers come from it; `undefined`: no worker has one. */
  readonly pool: { readonly name: string; readonly directory: string } | undefined
}

/** What Kubernetes needs, and file systems that no worker has. */
const unused = ["grpc.v1.cri", "snapshotter.v1.aufs", "snapshotter.v1.btrfs", "snapshotter.v1.zfs"]
const ofDisks = "snapshotter.v1.devmapper"

const plugin = (name: string): string => `io.containerd.${name}`

/** Limit of a disk, all of which its worker may fill. */
const diskSize = "10GB"

const text = (value: string): string => JSON.stringify(value)

/** The second version of the language, which containerd reads from 1.3 to 2.x. */
export const write = ({ pool, root, socket, state }: ContainerdPlan): string =>
  [
    "version = 2",
    `root = ${text(root)}`,
    `state = ${text(state)}`,
    `disabled_plugins = [${[...unused, ...(pool === undefined ? [ofDisks] : [])].map((name) => text(plugin(name))).join(", ")}]`,
    "[grpc]",
    `  address = ${text(socket)}`,
    `[plugins.${text(plugin("internal.v1.opt"))}]`,
    `  path = ${text(`${root}/opt`)}`,
    ...(pool === undefined
      ? []
      : [
          `[plugins.${text(plugin(ofDisks))}]`,
          `  pool_name = ${text(pool.name)}`,
          `  root_path = ${text(pool.directory)}`,
          `  base_image_size = ${text(diskSize)}`
        ]),
    ""
  ].join("\n")
