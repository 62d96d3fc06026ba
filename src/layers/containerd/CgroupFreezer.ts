/**
 * Freezes and thaws by the kernel's own file, past containerd, which goes on believing that the task runs: a tenth of the time.
 * The files are the kernel's memory, which answers at once, so that they are read and written in place.
 */
import { Effect, Schedule } from "effect"
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { RuntimeUnavailable } from "#domain/Failure"
import * as FreezerPlace from "#domain/FreezerPlace"
import * as MountTable from "#domain/MountTable"

/** How long processes may take to stand still, and how often to look whether they do. */
const freezeLimitMs = 500
const lookEveryMs = 1

const words = {
  1: { file: "freezer.state", frozen: "FROZEN", thawed: "THAWED" },
  2: { file: "cgroup.freeze", frozen: "1", thawed: "0" }
} as const

const read = (...path: ReadonlyArray<string>): string => readFileSync(join(...path), "latin1")

const write = ({ directory, version }: FreezerPlace.FreezerPlace, word: "frozen" | "thawed"): void =>
  writeFileSync(join(directory, words[version].file), words[version][word])

/** All of it stands still. */
const stands = ({ directory, version }: FreezerPlace.FreezerPlace): boolean =>
  version === 1
    ? read(directory, words[1].file).trim() === words[1].frozen
    : /^frozen 1$/m.test(read(directory, "cgroup.events"))

/** Not to be asked for each container: on a machine with many there are many mounts. */
let hierarchies: ReturnType<typeof FreezerPlace.hierarchies> | undefined

const known = () => (hierarchies ??= FreezerPlace.hierarchies(MountTable.read(read(MountTable.path))))

/**
 * That of the container whose first process has this number, if it has one of its own that may be written. `undefined` as well
 * where numbers of processes mean something else here than to containerd.
 */
export const find = (pid: number, name: string): FreezerPlace.FreezerPlace | undefined => {
  try {
    const place = FreezerPlace.find(read("/proc", String(pid), "cgroup"), known(), name)
    if (place === undefined || !read(place.directory, "cgroup.procs").split("\n").includes(String(pid)))
      return undefined
    accessSync(join(place.directory, words[place.version].file), constants.W_OK)
    return place
  } catch {
    // The process is gone, or the files are nobody's to write here.
    return undefined
  }
}

/** Frozen, or about to be, by whoever it was. */
export const isFrozen = ({ directory, version }: FreezerPlace.FreezerPlace): boolean => {
  try {
    return read(directory, words[version].file).trim() !== words[version].thawed
  } catch {
    // The files go with the container.
    return false
  }
}

const failed = (what: string) => (cause: unknown) =>
  new RuntimeUnavailable({ detail: `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, cause })

export const thaw = (place: FreezerPlace.FreezerPlace): Effect.Effect<void, RuntimeUnavailable> =>
  Effect.try({ try: () => write(place, "thawed"), catch: failed("thawing") })

/**
 * Of a group in which nobody is left who could tell where it is: its runtime takes what stands still for paused, not for stopped,
 * and does not remove it. Only of the second version, where who stands still can be killed. `group` is absolute, in every hierarchy.
 */
export const thawEmpty = (group: string): Effect.Effect<void> =>
  Effect.suspend(() =>
    Effect.forEach(
      known().filter(({ version }) => version === 2),
      // The file went with the container, or is nobody's to write here.
      ({ mountPoint, version }) => Effect.ignore(thaw({ version, directory: join(mountPoint, group) })),
      { discard: true }
    )
  )

/** All of it stands still when this returns; after a failure none of it. */
export const freeze = (place: FreezerPlace.FreezerPlace): Effect.Effect<void, RuntimeUnavailable> =>
  Effect.try({
    // Said again until it is so: the first version passes over a process that is just being made.
    try: () => {
      write(place, "frozen")
      return stands(place)
    },
    catch: failed("freezing")
  }).pipe(
    Effect.repeat({ until: (isDone) => isDone, schedule: Schedule.spaced(lookEveryMs) }),
    Effect.timeoutOrElse({
      duration: freezeLimitMs,
      orElse: () =>
        Effect.fail(new RuntimeUnavailable({ detail: `freezing: it does not stand still after ${freezeLimitMs} ms` }))
    }),
    // What cannot be thawed is gone: the file goes with the container.
    Effect.onError(() => Effect.ignore(thaw(place), { log: "Debug" })),
    Effect.asVoid
  )
