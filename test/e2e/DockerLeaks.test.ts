/** A hundred containers come and go, and nothing of them stays: not at the engine, not in the kernel, not in the Agent. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { OwnerId } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as AgentStack from "#test/support/AgentStack"
import * as DockerImages from "#test/support/DockerImages"
import { freshStack } from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as FarAgent from "#test/support/FarAgent"
import * as FunctionImage from "#test/support/FunctionImage"
import * as Processes from "#test/support/Processes"
import { specOf } from "#test/support/WorkerFunctions"

const owner = OwnerId.make("gateway-mine")
const cycles = 100
const parallel = 4
/** Connections that are kept for the next request, of which there may be one more or less at any time. */
const spareFiles = 2 * parallel

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

describe("containers that come and go", { ...needs("docker"), timeout: 120_000 }, () => {
  it.layer(
    AgentStack.layer,
    AgentStack.live
  )((it) => {
    it.effect("leave no container, volume, network, rule, interface or open file", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const environment = freshStack()
        const network = `esb-${environment}`
        const image = yield* imageWithVolume
        const agent = yield* stack.agent({
          ENV: environment,
          AGENT_RUNTIME: "docker",
          AGENT_GRPC_TLS_DISABLED: "1",
          CONTAINERS_NETWORK: network,
          IMAGE_PULL_POLICY: "never"
        })
        const bridge = `br-${(yield* DockerImages.docker("network", "inspect", "--format", "{{.Id}}", network)).slice(0, 12)}`
        const traces: Array<Traces> = []

        yield* Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const client = yield* WorkerClient
          const cycle = (n: number) =>
            Effect.gen(function* () {
              const worker = yield* runtime.ensure(specOf(image, "index.echo"), owner)
              // Some are given up before they are ready.
              if (n % 5 > 0) yield* client.ready(worker)
              if (n % 10 === 1) traces.push(yield* tracesOf(worker.name))
              yield* runtime.destroy(worker.id, owner)
            })
          const run = (count: number) =>
            Effect.forEach(
              Array.from({ length: count }, (_, n) => n),
              cycle,
              { concurrency: parallel, discard: true }
            )

          yield* run(2 * parallel)
          const before = { files: Processes.openFiles(agent.pid()).length, rules: rulesOf(bridge) }
          yield* run(cycles)
          yield* eventually(
            "open files of the Agent",
            Effect.sync(() => Processes.openFiles(agent.pid()).length),
            (count) => count <= before.files + spareFiles
          )
          assert.strictEqual(rulesOf(bridge), before.rules)
          assert.deepStrictEqual(yield* runtime.list(owner), [])
        }).pipe(Effect.scoped, Effect.provide(FarAgent.layer(agent.address, owner)))

        const listed = yield* DockerImages.docker(
          "ps",
          "--all",
          "--quiet",
          "--filter",
          `label=agents_env=${environment}`
        )
        assert.strictEqual(listed, "")
        assert.isAtLeast(traces.length, cycles / 10)
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
