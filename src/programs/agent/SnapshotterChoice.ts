/** What images and workers are kept by in containerd; an Agent does not start where containerd cannot do that. */
import { Effect } from "effect"
import * as RuntimeName from "#domain/RuntimeName"
import * as SnapshotterCheck from "#layers/containerd/SnapshotterCheck"
import { BadSettings } from "../Program.ts"
import type { AgentSettings } from "./Settings.ts"

type Said = Pick<AgentSettings, "containerdRuntime" | "containerdSnapshotter">

export const snapshotterOf = ({ containerdRuntime, containerdSnapshotter }: Said): string =>
  RuntimeName.snapshotterOf(containerdRuntime, containerdSnapshotter)

const told = ({ containerdRuntime, containerdSnapshotter }: Said): string => {
  const variable = "CONTAINERD_SNAPSHOTTER (--containerd-snapshotter)"
  if (containerdSnapshotter !== undefined) return `${variable} is "${containerdSnapshotter}"`
  const reason = containerdRuntime === RuntimeName.ofMachines ? ` for CONTAINERD_RUNTIME=${containerdRuntime}` : ""
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
