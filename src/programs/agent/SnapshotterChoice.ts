/** What images and workers are kept by in containerd; an Agent does not start where containerd cannot do that. */
import { Effect } from "effect"
import * as SnapshotterCheck from "#layers/containerd/SnapshotterCheck"
import { BadSettings } from "../Program.ts"
import type { AgentSettings } from "./Settings.ts"

/** The runtime whose containers are virtual machines, with disks for file systems. */
const machineRuntime = "aws.firecracker"

type Said = Pick<AgentSettings, "containerdRuntime" | "containerdSnapshotter">

export const snapshotterOf = ({ containerdRuntime, containerdSnapshotter }: Said): string =>
  containerdSnapshotter ?? (containerdRuntime === machineRuntime ? "devmapper" : "overlayfs")

const told = ({ containerdRuntime, containerdSnapshotter }: Said): string => {
  const variable = "CONTAINERD_SNAPSHOTTER (--containerd-snapshotter)"
  if (containerdSnapshotter !== undefined) return `${variable} is "${containerdSnapshotter}"`
  const reason = containerdRuntime === machineRuntime ? ` for CONTAINERD_RUNTIME=${machineRuntime}` : ""
  return `${variable} is not set, which means ${snapshotterOf({ containerdRuntime, containerdSnapshotter })}${reason}`
}

/** Fails where containerd says that it lacks the snapshotter. One that says nothing of its parts refuses the first image. */
export const check = (values: Said) =>
  SnapshotterCheck.check(snapshotterOf(values)).pipe(
    Effect.catchTags({
      ContainerdFailure: ({ message }) =>
        Effect.logWarning(`containerd does not tell which snapshotters it has: ${message}`),
      SnapshotterUnavailable: ({ message }) =>
        Effect.fail(new BadSettings({ program: "agent", complaints: [`${told(values)}. ${message}`] }))
    })
  )
