/** A machine's packet filter without the machine: a network namespace, with the chains that an engine makes. */
import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { promisify } from "node:util"
import { Effect } from "effect"
import { programAt } from "./Cli.ts"

const run = promisify(execFile)
const limitMs = 20_000

const answer = (command: string, ...args: ReadonlyArray<string>) =>
  Effect.promise(async () => (await run(command, args, { encoding: "utf8", timeout: limitMs })).stdout)

export interface Said {
  readonly code: number | null
  readonly stderr: string
}

const ended = (command: string, args: ReadonlyArray<string>) =>
  Effect.callback<Said>((resume) => {
    const child = execFile(command, [...args], { encoding: "utf8", timeout: limitMs }, (_error, _stdout, stderr) =>
      resume(Effect.succeed({ code: child.exitCode, stderr }))
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** A namespace that goes with the scope. */
export const make = Effect.acquireRelease(
  Effect.gen(function* () {
    const name = `esb-test-${randomBytes(4).toString("hex")}`
    yield* answer("ip", "netns", "add", name)
    return name
  }),
  (name) => answer("ip", "netns", "del", name)
).pipe(
  Effect.map((name) => {
    const inside = ["netns", "exec", name]
    return {
      /** As `ip netns` calls it. */
      namespace: name,
      /** A command in it, which must go well. */
      run: (command: string, ...args: ReadonlyArray<string>) => answer("ip", ...inside, command, ...args),
      /** The built program in it. */
      fence: (...args: ReadonlyArray<string>) =>
        ended("ip", [...inside, process.execPath, programAt("fence"), ...args]),
      /** All rules, as their own tool writes them. */
      rules: (command = "iptables-nft") => answer("ip", ...inside, command, "-S")
    }
  })
)

/** As an engine leaves the filter: rules of others, and a chain where its users' come first. */
export const ofAnEngine = Effect.fnUntraced(function* (command = "iptables-nft") {
  const filter = yield* make
  const rules = [
    ["-N", "DOCKER-USER"],
    ["-A", "DOCKER-USER", "-j", "RETURN"],
    ["-A", "FORWARD", "-j", "DOCKER-USER"],
    ["-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT"]
  ]
  for (const rule of rules) yield* filter.run(command, ...rule)
  return filter
})
