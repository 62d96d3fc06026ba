/** Networks of workers when plugins misbehave, and when an Agent ends in the middle. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Result } from "effect"
import { spawn } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Subnet from "#domain/Subnet"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as Processes from "#test/support/Processes"
import * as WorkerNetworks from "#test/support/WorkerNetworks"

const limitMs = 60_000

/** Of a bridge, by the kernel. */
const mostPorts = 1_023

const program = fileURLToPath(new URL("CniProcess.ts", import.meta.url))

/** What a program of ours says first; then it is killed. */
const firstLineOf = (path: string, ...args: ReadonlyArray<string>) =>
  Effect.callback<string>((resume) => {
    const child = spawn(process.execPath, [path, ...args], { stdio: ["ignore", "pipe", "inherit"] })
    child.stdout.once("data", (chunk: Buffer) => {
      child.once("exit", () => resume(Effect.succeed(chunk.toString().trim())))
      child.kill("SIGKILL")
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

describe("networks of workers, when plugins misbehave", needs("cni"), () => {
  const faults = [
    {
      title: "refuses",
      script: `echo '{"cniVersion":"1.0.0","code":11,"msg":"try again later","details":"it is busy"}'; exit 1`,
      told: "try again later it is busy (code 11)"
    },
    { title: "dies with words of its own", script: "echo 'no such table' >&2; exit 2", told: "no such table" },
    { title: "answers nonsense", script: "echo 'all is well'", told: "answered all is well" },
    { title: "answers nothing", script: ":", told: "answered nothing" },
    { title: "never ends", script: "sleep 300 & sleep 300", told: "no end after 800 ms" },
    { title: "never stops talking", script: "exec yes", told: "bytes of output" }
  ]
  for (const { script, title, told } of faults) {
    it.live(
      `are refused with its reason when a plugin ${title}, and nothing is left of what the one before it did`,
      () =>
        Effect.gen(function* () {
          const machine = yield* WorkerNetworks.make
          const { cni } = yield* machine.start({ commandLimitMs: 800 })
          machine.replacePlugin("portmap", `[ $CNI_COMMAND = DEL ] && exec $REAL\n${script}`)
          const { message } = yield* Effect.flip(cni.take)
          assert.include(message, told)
          yield* machine.isBare
          machine.restorePlugin("portmap")
          yield* cni.check((yield* cni.take).name)
        }),
      limitMs
    )
  }

  it.live(
    "are asked for again when an interface has not been found, up to five times",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { cni } = yield* machine.start()
        const tries = join(machine.directory, "tries")
        const failTimes = (times: number) =>
          machine.replacePlugin(
            "portmap",
            `[ $CNI_COMMAND = ADD ] || exec $REAL
             echo >> ${tries}; [ $(wc -l < ${tries}) -gt ${times} ] && exec $REAL
             echo '{"code":999,"msg":"Link not found"}'; exit 1`
          )
        failTimes(4)
        yield* cni.check((yield* cni.take).name)
        rmSync(tries)
        failTimes(5)
        assert.include((yield* Effect.flip(cni.take)).message, "Link not found")
        assert.strictEqual(readFileSync(tries, "utf8").length, 5)
      }),
    limitMs
  )

  it.live(
    "that a plugin does not take back are told, and removed without it the next time",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { cni } = yield* machine.start()
        const { name } = yield* cni.take
        machine.replacePlugin("bridge", "[ $CNI_COMMAND = DEL ] || exec $REAL\nexit 3")
        assert.include((yield* Effect.flip(cni.release(name))).message, "bridge DEL")
        assert.strictEqual(yield* cni.reconcile(new Set()), 1)
        yield* machine.isBare
      }),
    limitMs
  )

  it.live(
    "are refused when the kernel takes no more interfaces on the bridge, and leave no address behind",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { cni } = yield* machine.start()
        // Both ends of a pair are ports, but for the last.
        const pairs = Array.from({ length: Math.ceil(mostPorts / 2) }, (_, pair) => [
          `link add d${pair} master esb0 type veth peer name e${pair}\n`,
          `link set e${pair} master esb0\n`
        ])
        const ports = pairs.flat().slice(0, mostPorts)
        const batch = join(machine.directory, "ports")
        writeFileSync(batch, ports.join(""))
        yield* machine.onMachine("ip", "-batch", batch)
        assert.include((yield* Effect.flip(cni.take)).message, "exchange full")
        yield* machine.isBare
        yield* machine.onMachine("ip", "link", "del", "d0")
        yield* cni.check((yield* cni.take).name)
      }),
    limitMs
  )

  it.live(
    "are prepared as soon as the plugins are well again",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        machine.replacePlugin("bridge", "[ $CNI_COMMAND = DEL ] && exec $REAL\nexit 3")
        yield* machine.start({ prepared: 2, prepareAgainMs: { first: 50, last: 100 } })
        yield* Effect.sleep("500 millis")
        assert.deepStrictEqual((yield* machine.traces).addresses, [])
        machine.restorePlugin("bridge")
        yield* eventually("two are prepared", machine.traces, ({ addresses }) => addresses.length === 2, limitMs / 2)
      }),
    limitMs
  )
})

describe("networks of workers, after a crash", needs("cni"), () => {
  /** What an Agent that is killed leaves: its plugins end by themselves, or never began. */
  const left: ReadonlyArray<readonly [string, (state: string, name: string) => Effect.Effect<unknown>]> = [
    [
      "whose answer was not kept",
      (state, name) =>
        Effect.sync(() => {
          const path = join(state, `${name}.json`)
          const { conflist } = JSON.parse(readFileSync(path, "utf8"))
          writeFileSync(path, JSON.stringify({ conflist }))
        })
    ],
    ["of which nothing was kept", (state) => Effect.sync(() => rmSync(state, { recursive: true }))],
    [
      "whose record was half written",
      (state, name) => Effect.sync(() => writeFileSync(join(state, `${name}.json`), "{"))
    ],
    ["whose namespace is gone", (_, name) => WorkerNetworks.run("ip", "netns", "del", name)]
  ]
  for (const [title, break_] of left) {
    it.live(
      `are removed by the next Agent, one ${title} included`,
      () =>
        Effect.gen(function* () {
          const machine = yield* WorkerNetworks.make
          const before = yield* machine.start()
          const { name } = yield* before.cni.take
          yield* before.stop
          yield* break_(join(machine.directory, "state"), name)
          const { cni } = yield* machine.start()
          assert.isTrue(Option.isNone(yield* cni.find(name)))
          assert.strictEqual(yield* cni.reconcile(new Set()), 1)
          yield* machine.isBare
        }),
      limitMs
    )
  }

  it.live(
    "are not found where the machine went down, though files tell of them",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { cni } = yield* machine.start()
        const { name, path } = yield* cni.take
        yield* WorkerNetworks.run("ip", "netns", "del", name)
        writeFileSync(path, "")
        assert.isTrue(Option.isNone(yield* cni.find(name)))
        yield* cni.release(name)
        yield* machine.isBare
      }),
    limitMs
  )

  it.live(
    "that were just being made when the Agent was killed go with the next one; the one that was taken stays",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        // The first is made at once, the others are in the hands of a slow plugin.
        const slow = `[ $CNI_COMMAND = DEL ] && exec $REAL
          [ -e ${machine.directory}/second ] && sleep 1
          touch ${machine.directory}/second; exec $REAL`
        machine.replacePlugin("portmap", slow)
        const taken = yield* firstLineOf(program, JSON.stringify(machine.settings({ prepared: 3 })))
        assert.isAbove((yield* machine.traces).namespaces.length, 1)
        // Plugins that had begun come to their end without the Agent.
        yield* Processes.allGone(machine.directory, limitMs / 2)
        const { cni } = yield* machine.start()
        assert.isAtLeast(yield* cni.reconcile(new Set([taken])), 1)
        assert.strictEqual((yield* machine.traces).namespaces.length, 1)
        yield* cni.check(taken)
        yield* cni.release(taken)
        yield* machine.isBare
      }),
    limitMs
  )
})

describe("the configuration of networks", needs("cni"), () => {
  const own = (bridge: object) =>
    JSON.stringify({ cniVersion: "0.4.0", name: "own", plugins: [{ type: "bridge", ...bridge }, { type: "firewall" }] })

  it.live(
    "of somebody else's stands, in its own version of the language, and its networks leave nothing either",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const text = own({
          bridge: "own0",
          isGateway: true,
          ipMasq: true,
          ipam: { type: "host-local", subnet: "10.66.0.0/24", dataDir: join(machine.directory, "addresses") }
        })
        const file = join(machine.directory, "net.d", `10-${machine.brand}-net.conflist`)
        mkdirSync(join(machine.directory, "net.d"))
        writeFileSync(file, text)
        const { cni } = yield* machine.start()
        assert.strictEqual(cni.bridge.name, "own0")
        const { ipAddress, name } = yield* cni.take
        assert.match(ipAddress, /^10\.66\.0\.\d+$/)
        yield* cni.check(name)
        const rules = (yield* machine.onMachine("iptables-save")).split("\n")
        assert.isNotEmpty(rules.filter((rule) => rule.includes(`${ipAddress}/32`)))
        yield* cni.release(name)
        yield* machine.isBare
        assert.notInclude(yield* machine.onMachine("iptables-save"), `${ipAddress}/32`)
        assert.strictEqual(readFileSync(file, "utf8"), text)
      }),
    limitMs
  )

  it.live(
    "moves the bridge when the subnet found from the brand is another's already",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const first = yield* machine.start({ subnet: "auto" })
        yield* first.stop
        writeFileSync(
          join(machine.directory, "net.d", "20-other.conflist"),
          JSON.stringify({ plugins: [{ ipam: { subnet: first.cni.bridge.subnet } }] })
        )
        const { cni } = yield* machine.start({ subnet: "auto" })
        assert.notStrictEqual(cni.bridge.subnet, first.cni.bridge.subnet)
        assert.strictEqual(readdirSync(join(machine.directory, "net.d")).length, 2)
      }),
    limitMs
  )

  it.live(
    "takes the bridge along to another subnet once no worker is on it, and until then names both",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const first = yield* machine.start()
        const { name } = yield* first.cni.take
        yield* first.stop
        const elsewhere = { subnet: Result.getOrThrow(Subnet.parse("10.77.0.0/16")) }
        const { message } = yield* Effect.flip(machine.start(elsewhere))
        assert.include(
          message,
          "its bridge esb0 has 10.88.0.1/16, not 10.77.0.1/16, and 1 networks of workers are on it"
        )
        const second = yield* machine.start()
        yield* second.cni.release(name)
        yield* second.stop
        const { cni } = yield* machine.start(elsewhere)
        const addresses = yield* machine.onMachine("ip", "-brief", "-4", "address", "show", "dev", "esb0")
        assert.deepStrictEqual(addresses.trim().split(/\s+/).slice(2), ["10.77.0.1/16"])
        const network = yield* cni.take
        assert.match(network.ipAddress, /^10\.77\./)
        yield* cni.check(network.name)
        yield* cni.release(network.name)
        yield* machine.isBare
      }),
    limitMs
  )

  it.live(
    "refuses a subnet in which another brand has networks, and says whose it is",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const first = yield* machine.start()
        const other = {
          identity: { brand: `${machine.brand}b`, environment: "test" },
          stateDirectory: join(machine.directory, "others")
        }
        yield* (yield* machine.start(other)).stop
        const { name } = yield* first.cni.take
        const { message } = yield* Effect.flip(machine.start(other))
        assert.include(message, `10.88.0.0/16 is in use by ${machine.brand}-net, see ${machine.directory}/net.d/10-`)
        const beside = yield* machine.start({ ...other, subnet: "auto" })
        assert.notStrictEqual(beside.cni.bridge.name, "esb0")
        yield* first.cni.release(name)
      }),
    limitMs
  )

  it.live("leaves a bridge that somebody else has made where it is", () =>
    Effect.gen(function* () {
      const machine = yield* WorkerNetworks.make
      yield* machine.onMachine("ip", "link", "add", "esb0", "type", "bridge")
      yield* machine.onMachine("ip", "address", "add", "192.168.7.1/24", "dev", "esb0")
      const { message } = yield* Effect.flip(machine.start())
      assert.include(message, "its bridge esb0 has 192.168.7.1/24, not 10.88.0.1/16, and was made by somebody else")
      assert.include(yield* machine.onMachine("ip", "-brief", "address", "show", "dev", "esb0"), "192.168.7.1/24")
    })
  )

  it.live("stops the start when a plugin is missing, or a list is not for workers", () =>
    Effect.gen(function* () {
      const machine = yield* WorkerNetworks.make
      const refusal = (options: Parameters<typeof machine.start>[0]) =>
        Effect.map(Effect.flip(machine.start(options)), ({ message }) => message)
      assert.include(yield* refusal({ pluginDirectory: machine.directory }), `no plugin bridge in ${machine.directory}`)
      const file = join(machine.directory, "own.conflist")
      writeFileSync(file, own({ bridge: "own0", ipam: { type: "host-local", subnet: "10.66.0.0/24" } }))
      assert.include(yield* refusal({ configurationFile: file }), "is not the workers' gateway")
    })
  )
})
