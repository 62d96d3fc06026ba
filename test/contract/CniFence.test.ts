/** The fence around workers on a bridge that plugins made: what they reach, which is to have one byte answered. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { basename } from "node:path"
import type { WorkerFence } from "#domain/WorkerFence"
import { programAt } from "#test/support/Cli"
import { needs } from "#test/support/Engines"
import * as WorkerNetworks from "#test/support/WorkerNetworks"

const limitMs = 60_000

const answering = `const { createServer } = require("node:net")
createServer((socket) => { socket.on("error", () => {}); socket.end("X") }).listen(Number(process.argv[1]), () => console.log("open"))`

/** A server of one byte in a network namespace, until the scope ends. */
const serve = (path: string, port: number) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof spawn>>((resume) => {
      const args = ["netns", "exec", basename(path), process.execPath, "-e", answering, String(port)]
      const child = spawn("ip", args, { stdio: ["ignore", "pipe", "inherit"] })
      child.stdout.once("data", () => resume(Effect.succeed(child)))
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const ask = (address: string, port: number) =>
  [
    "/bin/bash",
    "-c",
    `timeout 2 bash -c 'exec 3<>/dev/tcp/${address}/${port}; head -c 1 <&3' 2>/dev/null; exit 0`
  ] as const

const door = 20_000
const elsewhere = 9_090
const machinesOther = "10.200.0.1"

describe("the fence on the workers' bridge", needs("cni", "packet-filter"), () => {
  it.live(
    "lets a worker reach its door, and nothing else of the machine, nor another worker, with or without it",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { cni } = yield* machine.start()
        const [one, other] = yield* Effect.all([cni.take, cni.take])
        yield* machine.onMachine("ip", "address", "add", `${machinesOther}/24`, "dev", "lo")
        yield* Effect.all([
          serve(other.path, elsewhere),
          serve(machine.namespace, door),
          serve(machine.namespace, elsewhere)
        ])
        const reached = Effect.all({
          door: machine.inside(one.name, ...ask(cni.bridge.gateway, door)),
          machine: machine.inside(one.name, ...ask(cni.bridge.gateway, elsewhere)),
          otherAddress: machine.inside(one.name, ...ask(machinesOther, elsewhere)),
          worker: machine.inside(one.name, ...ask(other.ipAddress, elsewhere)),
          byMachine: machine.onMachine(...ask(other.ipAddress, elsewhere))
        })
        assert.deepStrictEqual(yield* reached, {
          door: "X",
          machine: "X",
          otherAddress: "X",
          worker: "",
          byMachine: "X"
        })

        const fence: WorkerFence = {
          stack: { brand: machine.brand, environment: "test" },
          bridge: cni.bridge.name,
          entry: "FORWARD",
          doors: { address: cni.bridge.gateway, ports: { first: door, last: door + 999 }, of: "machine" },
          reach: []
        }
        yield* machine.onMachine(process.execPath, programAt("fence"), "raise", JSON.stringify(fence))
        assert.deepStrictEqual(yield* reached, { door: "X", machine: "", otherAddress: "", worker: "", byMachine: "X" })
        yield* machine.onMachine(process.execPath, programAt("fence"), "lower", JSON.stringify(fence.stack))
        yield* Effect.forEach([one, other], ({ name }) => cni.release(name))
        assert.deepStrictEqual(yield* machine.traces, WorkerNetworks.noTrace)
      }),
    limitMs
  )
})
