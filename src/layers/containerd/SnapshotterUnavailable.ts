/** containerd keeps layers and containers by something that it does not have, or could not start. */
import { Schema } from "effect"

const table = (snapshotter: string): string => `[plugins."io.containerd.snapshotter.v1.${snapshotter}"]`

/** What containerd has to be told of those that it does not start by itself. */
const settings: Readonly<Record<string, string>> = {
  devmapper: "pool_name, the name of a thin pool that exists (dmsetup ls), root_path and base_image_size",
  blockfile: "scratch_file, an empty file system in a file, root_path and fs_type"
}

export class SnapshotterUnavailable extends Schema.TaggedError<SnapshotterUnavailable>()("SnapshotterUnavailable", {
  snapshotter: Schema.String,
  /** What containerd said of it when it was started; `undefined`: it has never heard of it. */
  reason: Schema.UndefinedOr(Schema.String),
  /** Those that work. */
  others: Schema.Array(Schema.String)
}) {
  override get message() {
    const { others, reason, snapshotter } = this
    const said =
      reason === undefined ? "this containerd does not have it." : `containerd could not start it: ${reason}.`
    const choice = others.length === 0 ? "None works." : `Those that work: ${others.join(", ")}.`
    return `Snapshotter ${snapshotter} is of no use: ${said}${this.advice} ${choice}`
  }

  private get advice(): string {
    const wanted = settings[this.snapshotter]
    if (this.reason === undefined || wanted === undefined) return ""
    return ` ${table(this.snapshotter)} of its config.toml needs ${wanted}; then start it again.`
  }
}
