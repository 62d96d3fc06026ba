/** What the engine is told of a worker's container: nothing it does not need, and every limit it has. */
import type { ContainerCreateOptions } from "dockerode"
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

const bytesPerMiB = 1_048_576

/** The user and group of functions on AWS. */
const functionUser = { uid: 993, gid: 990 }

/** Processes and threads of a function, its open files, and bytes of its `/tmp`, as on AWS. */
const processLimit = 1_024
const openFilesLimit = 1_024
const temporaryBytes = 512 * bytesPerMiB

/** AWS gives a function of so much memory one processor; the engine calls 1024 the weight of one. */
export const processorMiB = 1_769
const processorShares = 1_024
const leastShares = 2

/** CPU follows memory as a weight: it decides who waits when there is not enough, and holds nobody back when there is. */
const cpuShares = (memoryMiB: number): number =>
  Math.max(leastShares, Math.round((memoryMiB / processorMiB) * processorShares))

/** What the engine keeps of a container's output, for whoever asks it and not us. */
const keptLog = { Type: "json-file", Config: { "max-size": "10m", "max-file": "2" } }

/** An image that names a user is believed; any other runs as functions do, unless the function insists. */
const userOf = ({ image, spec }: ContainerPlan): typeof functionUser | undefined =>
  image.user !== "" || spec.environment["RUN_AS_ROOT"] === "1" ? undefined : functionUser

/** The mode does not hold where the image has a `/tmp`: the kernel's file system gets that one's. Its owner may always write. */
const temporaryOptions = (user: typeof functionUser | undefined): string =>
  `rw,exec,nosuid,nodev,mode=1777,size=${temporaryBytes}${user === undefined ? "" : `,uid=${user.uid},gid=${user.gid}`}`

/** Where workers find whom to believe, and the names by which libraries of many languages look for it. */
const trustPlace = "/etc/esb"

/** Node knows everybody's authorities by itself, and versions before 24 take twice as long to begin when they read them again. */
const trustEnvironment = {
  AWS_CA_BUNDLE: `${trustPlace}/ca.pem`,
  SSL_CERT_FILE: `${trustPlace}/ca.pem`,
  REQUESTS_CA_BUNDLE: `${trustPlace}/ca.pem`,
  NODE_EXTRA_CA_CERTS: `${trustPlace}/authority.pem`
}

const environmentOf = ({ door, logStream, spec, trustDirectory }: ContainerPlan): ReadonlyArray<string> =>
  Object.entries({
    TZ: ":UTC",
    ...(trustDirectory === undefined ? {} : trustEnvironment),
    ...spec.environment,
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${spec.functionName}`,
    AWS_LAMBDA_LOG_STREAM_NAME: logStream,
    ...(door === undefined ? {} : { AWS_LAMBDA_RUNTIME_API: door.endpoint, ESB_WORKER_TOKEN: door.token })
  }).map(([name, value]) => `${name}=${value}`)

export const make = (plan: ContainerPlan) => {
  const { door, extensionNames = [], identity, image, memoryMiB, name, network, owner, spec, trustDirectory } = plan
  const user = userOf(plan)
  return {
    name,
    // By its digest: whatever the reference has come to mean meanwhile, this is what was looked at.
    Image: image.digest,
    Env: [...environmentOf(plan)],
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
          : [{ Type: "bind", Source: trustDirectory, Target: trustPlace, ReadOnly: true }],
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
