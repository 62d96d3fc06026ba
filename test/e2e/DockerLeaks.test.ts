/** A hundred containers come and go, and nothing of them stays: not at the engine, not in the kernel, not in the Agent. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import * as DockerImages from "#test/support/DockerImages"
import * as DockerStack from "#test/support/DockerStack"
import { freshStack } from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as FunctionImage from "#test/support/FunctionImage"
import * as Processes from "#test/support/Processes"
import * as Turnover from "#test/support/Turnover"

/** The functions of the tests, with a volume of its own for every container. */
const imageWithVolume = Effect.gen(function* () {
  const base = yield* Effect.promise(() => FunctionImage.reference())
  const name = `${yield* DockerImages.names}volume:1`
  const context = mkdtempSync(join(tmpdir(), "esb-volume-"))
  writeFileSync(join(context, "Dockerfile"), `FROM ${base}\nVOLUME /data\n`)
  yield* DockerImages.docker("build", "--quiet", "--tag", name, context)
  rmSync(context, { recursive: true })
  return name
})

interface Traces {
  readonly volumes: ReadonlyArray<string>
  /** Where its network is mounted; the file itself the engine collects later. */
  readonly namespace: string
}

const tracesOf = (name: string) =>
  Effect.map(DockerImages.docker("inspect", name), (text): Traces => {
    const [{ Mounts, NetworkSettings }] = JSON.parse(text)
    const volumes = (Mounts as ReadonlyArray<{ Type: string; Name: string }>).filter(({ Type }) => Type === "volume")
    return { volumes: volumes.map(({ Name }) => Name), namespace: NetworkSettings.SandboxKey }
  })

/** Rules of the packet filter about a bridge. Whoever may not see them sees none, before and after. */
const rulesOf = (bridge: string): number =>
  ["filter", "nat"].flatMap((table) =>
    (spawnSync("iptables-save", ["-t", table], { encoding: "utf8" }).stdout ?? "")
      .split("\n")
      .filter((line) => line.includes(bridge))
  ).length

describe("containers that come and go", { ...needs("docker"), timeout: Turnover.limitMs }, () => {
  it.layer(
    AgentStack.layer,
    AgentStack.live
  )((it) => {
    it.effect("leave no container, volume, network, rule, interface or open file", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const environment = freshStack()
        const image = yield* imageWithVolume
        const agent = yield* stack.agent({ ...DockerStack.settings(environment), AGENT_GRPC_TLS_DISABLED: "1" })
        const network = yield* DockerImages.docker("network", "inspect", "--format", "{{.Id}}", `esb-${environment}`)
        const bridge = `br-${network.slice(0, 12)}`
        const traces: Array<Traces> = []
        let rules = 0
        yield* Turnover.run({
          agent,
          image,
          visit: Effect.fnUntraced(function* ({ name }, n) {
            if (n % 10 === 1) traces.push(yield* tracesOf(name))
          }),
          before: Effect.sync(() => {
            rules = rulesOf(bridge)
          }),
          openFiles: () => ({ agent: Processes.openFiles(agent.pid()).length })
        })
        assert.strictEqual(rulesOf(bridge), rules)

        const listed = yield* DockerImages.docker(
          "ps",
          "--all",
          "--quiet",
          "--filter",
          `label=agents_env=${environment}`
        )
        assert.strictEqual(listed, "")
        assert.isAtLeast(traces.length, Turnover.cycles / 10)
        assert.isTrue(traces.every(({ volumes }) => volumes.length === 1))
        const volumes = (yield* DockerImages.docker("volume", "ls", "--quiet")).split("\n")
        assert.deepStrictEqual(
          traces.flatMap((trace) => trace.volumes).filter((name) => volumes.includes(name)),
          []
        )
        const mounted = readFileSync("/proc/mounts", "utf8")
        assert.deepStrictEqual(
          traces.filter(({ namespace }) => mounted.includes(namespace)),
          []
        )
        yield* eventually(
          "interfaces of the network",
          Effect.sync(() => readdirSync(`/sys/class/net/${bridge}/brif`)),
          (left) => left.length === 0
        )
      }).pipe(Effect.scoped)
    )
  })
})
