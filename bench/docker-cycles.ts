/** What stays of a thousand containers that were started and destroyed: at the engine, in the kernel, in the Agent? */
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { Effect, Layer } from "effect"
import type { OwnerId } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as DockerStack from "./parts/DockerStack.ts"
import { figure, tell, tellNumber } from "./parts/Figures.ts"
import * as WarmWorker from "./parts/WarmWorker.ts"

const owner = "bench" as OwnerId
const cycles = 1_000
/** Counted for the first time after so many, when everything has been used once, and then again and again. */
const countEvery = 200
const parallel = 4
/** The engine tidies up behind the removal of a container. */
const settleMs = 2_000

const lines = (command: string, ...args: ReadonlyArray<string>): ReadonlyArray<string> =>
  execFileSync(command, args, { encoding: "utf8" })
    .split("\n")
    .filter((line) => line !== "")

const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

const residentMiB = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1_024

const engineOf = (): number => Number(lines("pidof", "dockerd")[0]?.split(" ").at(-1))

const main = Effect.gen(function* () {
  const stack = yield* DockerStack.start({})
  const layers = yield* Layer.build(WarmWorker.byAgent(stack.agent))
  const spec = WarmWorker.specOf(stack.image, "index.echo")
  const startMs: Array<number> = []
  const destroyMs: Array<number> = []
  const cycle = Effect.gen(function* () {
    const runtime = yield* ContainerRuntime
    const client = yield* WorkerClient
    const begun = performance.now()
    const worker = yield* runtime.ensure(spec, owner)
    yield* client.ready(worker)
    const ready = performance.now()
    yield* runtime.destroy(worker.id, owner)
    startMs.push(ready - begun)
    destroyMs.push(performance.now() - ready)
  })
  const run = Effect.forEach(Array.from({ length: countEvery }), () => cycle, { concurrency: parallel, discard: true })

  const { Id } = yield* Effect.promise(() => stack.engine.getNetwork(stack.network).inspect())
  const bridge = `br-${Id.slice(0, 12)}`
  const count = () => ({
    containers: lines("docker", "ps", "--all", "--quiet", "--filter", `network=${stack.network}`).length,
    volumes: lines("docker", "volume", "ls", "--quiet").length,
    networks: lines("docker", "network", "ls", "--quiet").length,
    interfaces: readdirSync(`/sys/class/net/${bridge}/brif`).length,
    rules: lines("iptables-save").filter((line) => line.includes(bridge)).length,
    agentFiles: openFiles(stack.agent.pid),
    agentMiB: Math.round(residentMiB(stack.agent.pid)),
    engineFiles: openFiles(engineOf()),
    engineMiB: Math.round(residentMiB(engineOf()))
  })
  for (let done = 0; done <= cycles; done += countEvery) {
    yield* Effect.provide(run, layers)
    yield* Effect.promise(() => sleep(settleMs))
    tellNumber(
      `after ${done + countEvery}`,
      Object.entries(count())
        .map(([name, value]) => `${name} ${value}`)
        .join(", ")
    )
  }
  tell(figure(`start until ready, ${parallel} at a time`, startMs))
  tell(figure(`destroy, ${parallel} at a time`, destroyMs))
})

await DockerStack.ask("a thousand containers of a Docker Engine, started and destroyed by the Agent", main)
