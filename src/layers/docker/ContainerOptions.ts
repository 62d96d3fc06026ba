/** What the engine is told of a worker's container: nothing it does not need, and every limit it has. */
import type { ContainerCreateOptions } from "dockerode"
import {
  bytesPerMiB,
  type ContainerUser,
  cpuShares,
  functionUser,
  openFilesLimit,
  processLimit,
  temporaryBytes
} from "#domain/ContainerLimits"
import * as ContainerVariables from "#domain/ContainerVariables"
import { extensionsLabel, listenerLabel, workerLabels, type StackIdentity } from "#domain/StackIdentity"
import type { OwnerId, WorkerSpec } from "#domain/Worker"
import type { ContainerImage } from "./ContainerImages.ts"

export interface ContainerPlan {
  readonly identity: StackIdentity
  readonly name: string
  readonly spec: WorkerSpec
  readonly owner: OwnerId
  readonly image: ContainerImage
  readonly memoryMiB: number
  readonly logStream: string
  /** Name of its network. */
  readonly network: string
  /** Directory of the engine's machine with the authorities that it believes. */
  readonly trustDirectory?: string | undefined
  /** `undefined`: the worker is told of none. */
  readonly door: { readonly endpoint: string; readonly token: string } | undefined
  /** External extensions of the image. */
  readonly extensionNames?: ReadonlyArray<string>
}

/** What the engine keeps of a container's output, for whoever asks it and not us. */
const keptLog = { Type: "json-file", Config: { "max-size": "10m", "max-file": "2" } }

/** An image that names a user is believed; any other runs as functions do, unless the function insists. */
const userOf = ({ image, spec }: ContainerPlan): ContainerUser | undefined =>
  image.user !== "" || spec.environment["RUN_AS_ROOT"] === "1" ? undefined : functionUser

/** The mode does not hold where the image has a `/tmp`: the kernel's file system gets that one's. Its owner may always write. */
const temporaryOptions = (user: ContainerUser | undefined): string =>
  `rw,exec,nosuid,nodev,mode=1777,size=${temporaryBytes}${user === undefined ? "" : `,uid=${user.uid},gid=${user.gid}`}`

export const make = (plan: ContainerPlan) => {
  const { door, extensionNames = [], identity, image, logStream, memoryMiB, name, network, owner, spec } = plan
  const { trustDirectory } = plan
  const isTrusting = trustDirectory !== undefined
  const user = userOf(plan)
  return {
    name,
    // By its digest: whatever the reference has come to mean meanwhile, this is what was looked at.
    Image: image.digest,
    Env: [...ContainerVariables.print(ContainerVariables.make({ door, isTrusting, logStream, spec }))],
    ...(user === undefined ? {} : { User: `${user.uid}:${user.gid}` }),
    Labels: {
      ...workerLabels(identity, { functionName: spec.functionName, owner, specHash: spec.specHash }),
      ...(door === undefined ? {} : { [listenerLabel(identity)]: door.endpoint }),
      ...(extensionNames.length === 0 ? {} : { [extensionsLabel(identity)]: extensionNames.join(",") })
    },
    HostConfig: {
      NetworkMode: network,
      RestartPolicy: { Name: "no" },
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      Tmpfs: { "/tmp": temporaryOptions(user) },
      Mounts:
        trustDirectory === undefined
          ? []
          : [{ Type: "bind", Source: trustDirectory, Target: ContainerVariables.trustPlace, ReadOnly: true }],
      Memory: memoryMiB * bytesPerMiB,
      // Together with swap: there is none.
      MemorySwap: memoryMiB * bytesPerMiB,
      CpuShares: cpuShares(memoryMiB),
      PidsLimit: processLimit,
      Ulimits: [
        { Name: "nofile", Soft: openFilesLimit, Hard: openFilesLimit },
        { Name: "core", Soft: 0, Hard: 0 }
      ],
      LogConfig: keptLog
    }
  } satisfies ContainerCreateOptions
}
