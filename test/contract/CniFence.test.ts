/** The fence around workers on a bridge that plugins made: what they reach, which is to have one byte answered. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
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
const published = 8_000
const machinesOther = "10.200.0.1"
const outside = { machine: "203.0.113.1", there: "203.0.113.2" }
const metadata = "169.254.169.254"
const engine = { machine: "172.31.0.1", container: "172.31.0.2" }

type Machine = Effect.Success<typeof WorkerNetworks.make>

/** Another network namespace, at the end of a cable that the machine knows by a name. */
const cabled = Effect.fnUntraced(function* (
  { onMachine }: Machine,
  cable: string,
  ...addresses: ReadonlyArray<string>
) {
  const name = `esb-test-${randomBytes(4).toString("hex")}`
  yield* Effect.acquireRelease(WorkerNetworks.run("ip", "netns", "add", name), () =>
    WorkerNetworks.run("ip", "netns", "del", name)
  )
  yield* onMachine("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
  yield* onMachine("ip", "link", "set", cable, "up")
  for (const address of addresses) yield* WorkerNetworks.run("ip", "-n", name, "address", "add", address, "dev", "eth0")
  yield* WorkerNetworks.run("ip", "-n", name, "link", "set", "eth0", "up")
  yield* serve(`/run/netns/${name}`, elsewhere)
  return name
})

/** A network behind the machine where nobody knows of workers, and where clouds would tell their machines who they are. */
const uplink = Effect.fnUntraced(function* (machine: Machine) {
  yield* cabled(machine, "uplink", `${outside.there}/24`, `${metadata}/32`)
  yield* machine.onMachine("ip", "address", "add", `${outside.machine}/24`, "dev", "uplink")
  yield* machine.onMachine("ip", "route", "add", "default", "via", outside.there)
  yield* machine.onMachine("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
})

/** As a Docker Engine leaves a machine: nothing passes but to and from its own containers, one of which has a published port. */
const dockersRules = [
  "-P FORWARD DROP",
  "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
  `-A FORWARD -d ${engine.container} ! -i docker0 -o docker0 -p tcp --dport ${elsewhere} -j ACCEPT`,
  "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
  `-t nat -A PREROUTING -m addrtype --dst-type LOCAL -p tcp --dport ${published} -j DNAT --to-destination ${engine.container}:${elsewhere}`
]

const dockersEngine = Effect.fnUntraced(function* (machine: Machine) {
  yield* machine.onMachine("ip", "link", "add", "docker0", "type", "bridge")
  yield* machine.onMachine("ip", "address", "add", `${engine.machine}/24`, "dev", "docker0")
  yield* machine.onMachine("ip", "link", "set", "docker0", "up")
  const container = yield* cabled(machine, "engine", `${engine.container}/24`)
  yield* machine.onMachine("ip", "link", "set", "engine", "master", "docker0")
  yield* WorkerNetworks.run("ip", "-n", container, "route", "add", "default", "via", engine.machine)
  for (const rule of dockersRules) yield* machine.onMachine("iptables", ...rule.split(" "))
})

/** Two workers of a machine with something at every address, and what the first of them reaches. */
const world = Effect.fnUntraced(function* (machine: Machine) {
  const { cni } = yield* machine.start()
  const [one, other] = yield* Effect.all([cni.take, cni.take])
  yield* uplink(machine)
  yield* machine.onMachine("ip", "address", "add", `${machinesOther}/24`, "dev", "lo")
  yield* Effect.all([serve(other.path, elsewhere), serve(machine.namespace, door), serve(machine.namespace, elsewhere)])
  const { gateway, name: bridge } = cni.bridge
  const fence: WorkerFence = {
    stack: { brand: machine.brand, environment: "test" },
    bridge,
    entry: "FORWARD",
    doors: { address: gateway, ports: { first: door, last: door + 999 }, of: "machine" },
    reach: []
  }
  const reached = (targets: Readonly<Record<string, readonly [address: string, port: number]>>) =>
    Effect.all(
      Object.fromEntries(
        Object.entries(targets).map(([name, target]) => [name, machine.inside(one.name, ...ask(...target))])
      ),
      { concurrency: "unbounded" }
    )
  return {
    gateway,
    reached,
    common: {
      door: [gateway, door],
      machine: [gateway, elsewhere],
      otherAddress: [machinesOther, elsewhere],
      worker: [other.ipAddress, elsewhere],
      outside: [outside.there, elsewhere],
      metadata: [metadata, elsewhere]
    } as const,
    byMachine: machine.onMachine(...ask(other.ipAddress, elsewhere)),
    fence: (verb: "raise" | "lower", reach: WorkerFence["reach"] = []) =>
      machine.onMachine(
        process.execPath,
        programAt("fence"),
        verb,
        JSON.stringify(verb === "raise" ? { ...fence, reach } : fence.stack)
      ),
    end: Effect.forEach([one, other], ({ name }) => cni.release(name))
  }
})

describe("the fence on the workers' bridge", needs("cni", "packet-filter"), () => {
  it.live(
    "lets a worker reach its door and the world, and nothing else of the machine, nor another worker, with or without it",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { byMachine, common, end, fence, reached } = yield* world(machine)
        const open = { door: "X", machine: "X", otherAddress: "X", worker: "", outside: "X", metadata: "X" }
        assert.deepStrictEqual(yield* reached(common), open)
        assert.strictEqual(yield* byMachine, "X")

        yield* fence("raise")
        const fenced = { door: "X", machine: "", otherAddress: "", worker: "", outside: "X", metadata: "" }
        assert.deepStrictEqual(yield* reached(common), fenced)
        assert.strictEqual(yield* byMachine, "X")
        yield* fence("lower")
        yield* end
        yield* machine.isBare
      }),
    limitMs
  )

  it.live(
    "opens the way out and back where a Docker Engine lets nothing pass but its own, and none into that engine's containers",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { byMachine, common, end, fence, gateway, reached } = yield* world(machine)
        yield* dockersEngine(machine)
        const before = yield* machine.onMachine("iptables", "-S")
        const targets = {
          ...common,
          container: [engine.container, door],
          published: [gateway, published],
          publishedElsewhere: [outside.machine, published]
        } as const
        const closed = { door: "X", machine: "X", otherAddress: "X", worker: "", outside: "", metadata: "" }
        const through = { container: "", published: "X", publishedElsewhere: "X" }
        assert.deepStrictEqual(yield* reached(targets), { ...closed, ...through })

        yield* fence("raise")
        const fenced = { door: "X", machine: "", otherAddress: "", worker: "", outside: "X", metadata: "" }
        assert.deepStrictEqual(yield* reached(targets), {
          ...fenced,
          container: "",
          published: "",
          publishedElsewhere: ""
        })
        assert.strictEqual(yield* byMachine, "X")

        yield* fence("raise", [{ address: gateway, port: published }])
        const named = yield* reached({ published: targets.published, elsewhere: targets.publishedElsewhere })
        assert.deepStrictEqual(named, { published: "X", elsewhere: "" })
        yield* fence("lower")
        assert.strictEqual(yield* machine.onMachine("iptables", "-S"), before)
        yield* end
      }),
    limitMs
  )
})
