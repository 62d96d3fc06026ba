/** Disks that containerd makes of layers and for workers, whatever it makes them by. */
export interface Disks {
  /** What containerd calls that by which it makes them. */
  readonly snapshotter: string
  /** A worker's own, as it finds it in its table of mounts. */
  readonly root: RegExp
  /** Tables of containerd's config.toml. */
  readonly config: string
  /** Those in use, which the machine keeps as devices. */
  readonly devices: () => ReadonlyArray<string>
}
