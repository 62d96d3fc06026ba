/** Network namespaces that stay without a process in them, pinned by `ip netns` where every other command looks for them. */
import { Effect } from "effect"
import { readdir, statfs } from "node:fs/promises"
import { join } from "node:path"
import { type Place, succeed } from "./Command.ts"

const directory = "/run/netns"

/** What the kernel says a pinned namespace is. A file without one is left by a machine that went down. */
const namespaceFileSystem = 0x6e736673

/**
 * The worker's own loopback; and the Internet Protocol's sixth version, which every interface would speak by itself, past a fence
 * that knows the fourth only, is silent.
 */
const settle =
  'ip link set lo up && for each in all default; do f=/proc/sys/net/ipv6/conf/$each/disable_ipv6; [ ! -e "$f" ] || echo 1 > "$f"; done'

export const pathOf = (name: string): string => join(directory, name)

export const isThere = (name: string): Effect.Effect<boolean> =>
  Effect.tryPromise(() => statfs(pathOf(name))).pipe(
    Effect.map(({ type }) => type === namespaceFileSystem),
    Effect.orElseSucceed(() => false)
  )

export const add = (place: Place, name: string) =>
  Effect.andThen(
    succeed(place, "ip", "netns", "add", name),
    succeed(place, "ip", "netns", "exec", name, "/bin/sh", "-c", settle)
  )

/** With every interface in it. None is success. */
export const remove = Effect.fnUntraced(function* (place: Place, name: string) {
  const names = yield* list
  if (names.includes(name)) yield* succeed(place, "ip", "netns", "del", name)
})

/** Of everybody. */
export const list: Effect.Effect<ReadonlyArray<string>> = Effect.tryPromise(() => readdir(directory)).pipe(
  // Nobody has pinned one yet.
  Effect.orElseSucceed(() => [])
)
