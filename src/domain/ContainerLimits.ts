/** What a worker in a container may use, whichever engine runs it: as on AWS, where AWS says. */

export const bytesPerMiB = 1_048_576

export interface ContainerUser {
  readonly uid: number
  readonly gid: number
}

/** The user and group of functions on AWS. */
export const functionUser: ContainerUser = { uid: 993, gid: 990 }

/** Processes and threads of a function, its open files, and bytes of its `/tmp`, as on AWS. */
export const processLimit = 1_024
export const openFilesLimit = 1_024
export const temporaryBytes = 512 * bytesPerMiB

/** AWS gives a function of so much memory one processor; engines call 1024 the weight of one. */
const processorMiB = 1_769
const processorShares = 1_024
const leastShares = 2

/** CPU follows memory as a weight: it decides who waits when there is not enough, and holds nobody back when there is. */
export const cpuShares = (memoryMiB: number): number =>
  Math.max(leastShares, Math.round((memoryMiB / processorMiB) * processorShares))

/** What the kernel counts quotas by, and the least that it lets anybody have of it. */
export const quotaPeriodMicroseconds = 100_000
const leastQuotaMicroseconds = 1_000

/** One processor for 1769 MiB, as on AWS, and so in proportion. Microseconds of every period. */
export const cpuQuotaMicroseconds = (memoryMiB: number): number =>
  Math.max(leastQuotaMicroseconds, Math.round((memoryMiB / processorMiB) * quotaPeriodMicroseconds))
