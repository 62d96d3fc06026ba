/** What holds for a program that runs in an image of its own, which says so by `IMAGE_RUNTIME`. */
import { Effect, FileSystem } from "effect"
import * as MountTable from "#domain/MountTable"
import { BadSettings } from "./Program.ts"
import * as Setting from "./Setting.ts"

export const settings = {
  imageRuntime: Setting.optional(Setting.OneOf(["docker", "containerd"]))(
    "IMAGE_RUNTIME",
    "Set by an image of this program: the engine that it is made for",
    "this program is in no image of its own"
  ),
  ephemeral: Setting.Flag(
    "ESB_EPHEMERAL",
    "In an image: start although ESB_HOME is no volume, and all state goes with the container",
    false
  )
}

export interface Surroundings extends Setting.Values<typeof settings> {
  /** As `AGENT_RUNTIME` says it. */
  readonly runtime: string
  /** Absolute. */
  readonly home: string
}

/** What goes with its container: the container's own layer, which is its root, and memory. */
const isKept = Effect.fnUntraced(function* (home: string) {
  const files = yield* FileSystem.FileSystem
  // Where there is nothing to read there is no Linux, and so no container.
  const text = yield* Effect.orElseSucceed(files.readFileString(MountTable.path), () => "")
  const mount = MountTable.holding(MountTable.read(text), home)
  return mount === undefined || (mount.point !== "/" && mount.type !== "tmpfs")
})

/** Refuses what a container must not do: serve an engine that its image is not made for, or lose its state with itself. */
export const check = Effect.fnUntraced(function* (program: string, around: Surroundings) {
  const { ephemeral, home, imageRuntime, runtime } = around
  if (imageRuntime === undefined) return
  const complaints: Array<string> = []
  if (runtime !== imageRuntime) {
    complaints.push(`AGENT_RUNTIME is ${runtime}, and this image is made for ${imageRuntime}`)
  }
  if (!ephemeral && !(yield* isKept(home))) {
    complaints.push(
      `ESB_HOME is ${home}, which goes with the container: mount a volume there, or set ESB_EPHEMERAL=1 to do without state`
    )
  }
  if (complaints.length > 0) return yield* new BadSettings({ program, complaints })
})
