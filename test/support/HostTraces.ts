/** What containers may leave on the machine besides themselves: mounts, control groups, pinned networks, interfaces, rules. */
import { execFile } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { promisify } from "node:util"
import { Effect } from "effect"

const run = promisify(execFile)
const outputLimitBytes = 16_777_216

const lines = (command: string, ...args: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const { stdout } = await run(command, [...args], { encoding: "utf8", maxBuffer: outputLimitBytes })
    return stdout.split("\n").filter(Boolean)
  })

const names = (path: string): ReadonlyArray<string> => {
  try {
    return readdirSync(path)
  } catch {
    // Nobody has pinned a network yet.
    return []
  }
}

/** Others go away while they are looked at, of which `find` complains. */
const groups = Effect.promise(async () => {
  const found = await run("find", ["/sys/fs/cgroup", "-type", "d"], { maxBuffer: outputLimitBytes }).catch(
    (failure: { readonly stdout: string }) => failure
  )
  return found.stdout.split("\n")
})

/** All that has one of these words in it. Other tests make things of the same kinds meanwhile. */
export const about = (...words: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const ofThem = (all: ReadonlyArray<string>) => all.filter((line) => words.some((word) => line.includes(word)))
    return {
      mounts: ofThem(readFileSync("/proc/self/mounts", "utf8").split("\n")),
      groups: ofThem(yield* groups),
      networks: ofThem(names("/run/netns")),
      interfaces: ofThem(yield* lines("ip", "-brief", "link")),
      rules: ofThem(yield* lines("iptables-save"))
    }
  })

export const none: Effect.Success<ReturnType<typeof about>> = {
  mounts: [],
  groups: [],
  networks: [],
  interfaces: [],
  rules: []
}
