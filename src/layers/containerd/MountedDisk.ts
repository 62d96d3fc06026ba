/**
 * A disk that is mounted for as long as somebody looks at its files, where nobody else sees it: in the mount namespace of a process
 * that ends with us. Whatever kills us leaves neither the mount nor its loop device.
 */
import { Effect, Schema, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"

/** As containerd says that a snapshot is to be mounted. */
export interface Mount {
  /** `ext4` */
  readonly type: string
  readonly source: string
  readonly options: ReadonlyArray<string>
}

export class DiskUnreadable extends Schema.TaggedError<DiskUnreadable>()("DiskUnreadable", {
  source: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.source} cannot be looked into: ${this.reason}`
  }
}

const mountLimitMs = 10_000
/** How long it is waited for the end of a mount that nobody needs any more, before it is killed. */
const endLimitMs = 2_000

/** Tells when it is mounted, and stays until its input ends, as it does with the process at the other end. */
const script = 'mount -t "$1" -o "$2" "$3" "$4" && echo mounted && exec cat'

const readOnly = ({ options }: Mount): string => [...options.filter((option) => option !== "rw"), "ro"].join()

/** With whatever it has started: `mount` waits for its disk, however long that takes. */
const kill = ({ pid, stdio }: ChildProcess): void => {
  for (const stream of stdio) stream?.destroy()
  if (pid === undefined) return
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // It has ended meanwhile.
  }
}

const end = (holder: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (holder.exitCode !== null || holder.signalCode !== null || holder.pid === undefined) return resume(Effect.void)
    holder.once("close", () => resume(Effect.void))
    holder.stdin?.destroy()
  }).pipe(Effect.timeoutOrElse({ duration: endLimitMs, orElse: () => Effect.sync(() => kill(holder)) }))

/** The directory with its files, until the scope ends. `place` is a directory of this machine, which only the mount covers. */
export const root = Effect.fnUntraced(function* (
  mount: Mount,
  place: string
): Effect.fn.Return<string, DiskUnreadable, Scope.Scope> {
  const unreadable = (reason: string) => new DiskUnreadable({ source: mount.source, reason })
  const told = ["--mount", "sh", "-c", script, "sh", mount.type, readOnly(mount), mount.source, place]
  const holder = yield* Effect.acquireRelease(
    Effect.sync(() => spawn("unshare", told, { detached: true, stdio: "pipe" })),
    end
  )
  yield* Effect.callback<void, DiskUnreadable>((resume) => {
    let said = ""
    holder.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
    holder.stdout.once("data", () => resume(Effect.void))
    holder.once("error", ({ message }) => resume(Effect.fail(unreadable(message))))
    holder.once("close", () => resume(Effect.fail(unreadable(said.trim()))))
  }).pipe(
    Effect.timeoutOrElse({
      duration: mountLimitMs,
      orElse: () => Effect.fail(unreadable(`it is not mounted after ${mountLimitMs} ms`))
    })
  )
  return `/proc/${holder.pid}/root${place}`
})
