/** Which images are fetched, for whom, and the limits of it. */
import type { Platform } from "#domain/ImageManifest"

/** When an image is fetched: before every start, when containerd lacks it, or by nobody here. */
export type PullPolicy = "always" | "if-not-present" | "never"

export interface ContainerdImageSettings {
  readonly pullPolicy: PullPolicy
  /** `overlayfs`, `devmapper` */
  readonly snapshotter: string
  /** What workers are: of an image for several, this one is fetched. */
  readonly platform: Platform
  /** Images that are fetched at a time, and layers of each. */
  readonly parallelPulls: number
  readonly parallelLayers: number
  /** For one image with all its layers, and for one layer to be unpacked. */
  readonly pullLimitMs: number
  readonly unpackLimitMs: number
}

/** In Go's words, as images are. */
const architectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" }

export const defaults: ContainerdImageSettings = {
  pullPolicy: "if-not-present",
  snapshotter: "overlayfs",
  platform: { os: "linux", architecture: architectures[process.arch] ?? process.arch },
  parallelPulls: 4,
  parallelLayers: 3,
  pullLimitMs: 600_000,
  unpackLimitMs: 300_000
}
