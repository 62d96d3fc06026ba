/**
 * `compose/containerd.yml`, started for real: a containerd, its workers and their Agent in one container, with stand-ins for images
 * that cannot be pulled here.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ComposeProject from "#test/support/ComposeProject"
import { patienceMs, type Project } from "#test/support/ComposeProject"
import { docker } from "#test/support/DockerImages"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as HostTraces from "#test/support/HostTraces"
import * as StackCalls from "#test/support/StackCalls"

const limitMs = 600_000

/** A command in the runtime node. */
const inside = (project: Project, ...command: ReadonlyArray<string>) =>
  docker("exec", project.container("runtime-node"), ...command)

const ctr = (project: Project, ...command: ReadonlyArray<string>) =>
  inside(project, "ctr", "--namespace", "esb-test", ...command)

/** Names and pids of workers. */
const workers = (project: Project) =>
  Effect.map(ctr(project, "tasks", "list"), (text) =>
    text
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/).slice(0, 2).join(" "))
      .toSorted()
  )

/** Pids, as the container sees them, of programs with this as their first argument. */
const pidsOf = (project: Project, program: string, argument: string) =>
  Effect.map(
    inside(
      project,
      "/usr/bin/node",
      "--eval",
      `for (const pid of fs.readdirSync("/proc")) try {
        const [path, first] = fs.readFileSync("/proc/" + pid + "/cmdline", "utf8").split("\\0")
        if (path.endsWith(${JSON.stringify(program)}) && first === ${JSON.stringify(argument)}) console.log(pid)
      } catch {}`
    ),
    (text) => text.split("\n").filter(Boolean)
  )

/** Another process does the same work. */
const renewed = Effect.fnUntraced(function* (
  project: Project,
  [program, argument]: readonly [string, string],
  act: (pid: string) => Effect.Effect<unknown>
) {
  const pids = pidsOf(project, program, argument)
  const [before = ""] = yield* pids
  assert.notStrictEqual(before, "", program)
  yield* act(before)
  yield* eventually(`${program} is another process`, pids, ([now]) => now !== undefined && now !== before, patienceMs)
})

/** By control groups of either version. */
const isFrozen = (project: Project) =>
  Effect.map(
    inside(
      project,
      "/usr/bin/node",
      "--eval",
      `console.log(fs.readdirSync("/sys/fs/cgroup", { recursive: true })
        .filter((path) => /(freezer[.]state|cgroup[.]events)$/.test(path))
        .filter((path) => /FROZEN|frozen 1/.test(fs.readFileSync("/sys/fs/cgroup/" + path, "utf8"))).length)`
    ),
    (count) => Number(count) > 0
  )

/** Names of its container, its networks, its bridge and the networks of its workers. */
const wordsOf = Effect.fnUntraced(function* (of: Project) {
  const { project, variables } = of
  const pinned = yield* inside(of, "/usr/bin/node", "--eval", 'console.log(fs.readdirSync("/run/netns").join("\\n"))')
  assert.isAbove(pinned.split("\n").length, 2)
  const id = yield* StackCalls.told(of, "runtime-node", ".Id")
  const networks = yield* docker("network", "ls", "--quiet", "--filter", `label=com.docker.compose.project=${project}`)
  const bridges = networks.split("\n").map((network) => `br-${network}`)
  return [id, project, variables.CNI_BRIDGE, ...bridges, ...pinned.split("\n")]
})

const reach = ({ variables: { WORKERS_NET: net } }: Project, control: string) => ({
  "the object store": { host: `${net}.0.4`, port: 9000, path: "/minio/health/live" },
  "the object store by name": { host: "s3-storage", port: 9000, path: "/minio/health/live" },
  "a bucket by name": { host: "some.bucket.s3-storage", port: 9000, path: "/minio/health/live" },
  "the table store by name": { host: "database", port: 8000, path: "/" },
  "another port of the object store": { host: `${net}.0.4`, port: 9001, path: "/" },
  "the Agent's figures": { host: `${net}.0.2`, port: 9091, path: "/metrics" },
  "the Agent's figures on the bridge": { host: "10.88.0.1", port: 9091, path: "/metrics" },
  "the registry": { host: control, port: 5010, path: "/v2/" }
})

describe(
  "the stack of compose/containerd.yml",
  needs("compose", "registry", "minio", "containerd", "cni", "coredns", "ethtool", "dmsetup"),
  () => {
    it.live(
      "comes up healthy, runs functions in a containerd of its own, survives ends of all but that container, and leaves nothing",
      () =>
        Effect.gen(function* () {
          const project = yield* ComposeProject.make({ mode: "containerd" })
          yield* project.up
          assert.deepStrictEqual(yield* StackCalls.wellness(project), [
            ["coredns", "none"],
            ["database", "healthy"],
            ["gateway", "healthy"],
            ["registry", "healthy"],
            ["runtime-node", "healthy"],
            ["s3-storage", "healthy"],
            ["victorialogs", "healthy"],
            ["victoriatraces", "healthy"],
            ["volumes", 0]
          ])

          const image = (yield* StackCalls.pushed(project)).replace(project.registry, "registry:5010")
          project.configure({ functions: StackCalls.functions(image) })
          const call = StackCalls.caller(project)
          yield* StackCalls.echoes(call, 1)
          const [first = ""] = yield* workers(project)
          assert.include(first, "echo")

          const environment = (yield* call("environment")) as Record<string, string>
          assert.strictEqual(environment["AWS_ENDPOINT_URL_LAMBDA"], "https://gateway:8443")
          const inControl = `(index .NetworkSettings.Networks "${project.project}-control").IPAddress`
          const control = yield* StackCalls.told(project, "registry", inControl)
          const seen: Record<string, unknown> = {}
          for (const [name, target] of Object.entries(reach(project, control))) {
            seen[name] = ((yield* call("visit", target)) as { readonly bytes?: number }).bytes
          }
          assert.deepStrictEqual(seen, {
            "the object store": 1,
            "the object store by name": 1,
            "a bucket by name": 1,
            "the table store by name": 1,
            "another port of the object store": 0,
            "the Agent's figures": 0,
            "the Agent's figures on the bridge": 0,
            "the registry": 0
          })

          const those = yield* workers(project)
          const node = project.container("runtime-node")
          const agent = ["node", "/app/dist/agent.js"] as const
          const kill = (pid: string) => inside(project, "/bin/sh", "-c", `kill -9 ${pid}`)
          yield* renewed(project, agent, () => docker("kill", "--signal", "HUP", node))
          yield* StackCalls.echoes(call, 2)
          yield* renewed(project, agent, kill)
          yield* StackCalls.echoes(call, 3)
          yield* renewed(project, ["containerd", "--config"], kill)
          yield* StackCalls.echoes(call, 4)
          assert.includeMembers(yield* workers(project), those, "workers survive all of it")

          yield* eventually("a worker is frozen", isFrozen(project), (is) => is, patienceMs)
          const traces = HostTraces.about(...(yield* wordsOf(project)))
          const present = yield* traces
          assert.isNotEmpty(present.groups)
          assert.isNotEmpty(present.interfaces)
          assert.isNotEmpty(present.rules)
          assert.deepStrictEqual(present.networks, [], "those of workers are inside")
          yield* project.stack.stop(["gateway", "runtime-node"], project.progress)
          const code = yield* StackCalls.told(project, "runtime-node", ".State.ExitCode")
          assert.strictEqual(code, "0", "it hears of its end, and ends well")
          yield* project.down
          assert.deepStrictEqual(yield* project.remains, [])
          assert.deepStrictEqual(yield* traces, HostTraces.none)
        }).pipe(Effect.scoped),
      limitMs
    )
  }
)
