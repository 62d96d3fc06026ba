/** Networks of workers by the real plugins: what a worker has, what it leaves, and who finds it again. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Result } from "effect"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import * as Subnet from "#domain/Subnet"
import { needs } from "#test/support/Engines"
import * as WorkerNetworks from "#test/support/WorkerNetworks"

const limitMs = 120_000

describe("networks of workers", needs("cni"), () => {
  it.live(
    "are ready before a process is: an address on the bridge, the machine as the way out, a loopback of their own",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { cni } = yield* machine.start()
        const { ipAddress, name, path } = yield* cni.take
        assert.strictEqual(path, `/run/netns/${name}`)
        assert.deepStrictEqual(cni.bridge, {
          name: "esb0",
          gateway: "10.88.0.1",
          subnet: "10.88.0.0/16",
          nameserver: "10.88.0.1"
        })
        assert.include(yield* machine.inside(name, "ip", "-4", "-brief", "address"), `${ipAddress}/16`)
        assert.include(yield* machine.inside(name, "ip", "route"), "default via 10.88.0.1 dev eth0")
        assert.include(yield* machine.inside(name, "ip", "-brief", "link", "show", "lo"), "<LOOPBACK,UP")
        assert.strictEqual(yield* machine.inside(name, "ip", "-6", "-brief", "address"), "")
        yield* cni.check(name)
        for (const trace of Object.values(yield* machine.traces)) assert.isNotEmpty(trace)
        yield* cni.release(name)
        yield* machine.isBare
      }),
    limitMs
  )

  it.live(
    "reach the machine, and the machine them, but not one another",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { cni } = yield* machine.start()
        const [one, other] = yield* Effect.all([cni.take, cni.take])
        // A port that nobody has open refuses, which is an answer.
        const knock = (address: string) =>
          ["/bin/bash", "-c", `timeout 2 bash -c 'echo >/dev/tcp/${address}/9' 2>&1; exit 0`] as const
        assert.include(yield* machine.inside(one.name, ...knock(cni.bridge.gateway)), "refused")
        assert.include(yield* machine.onMachine(...knock(other.ipAddress)), "refused")
        assert.notInclude(yield* machine.inside(one.name, ...knock(other.ipAddress)), "refused")
      }),
    limitMs
  )

  it.live(
    "leave nothing after a hundred of them, four at a time: no interface, namespace, address, rule, record or file descriptor",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { cni, stop } = yield* machine.start({ prepared: 4 })
        const before = readdirSync("/proc/self/fd").length
        const cycle = Effect.flatMap(cni.take, ({ ipAddress, name }) => Effect.as(cni.release(name), ipAddress))
        yield* Effect.replicateEffect(cycle, 100, { concurrency: 4 })
        yield* stop
        yield* machine.isBare
        assert.isAtMost(readdirSync("/proc/self/fd").length, before + 2)
      }),
    limitMs
  )

  it.live(
    "made at once have addresses of their own, prepared or not",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { cni, stop } = yield* machine.start({ prepared: 3 })
        const networks = yield* Effect.replicateEffect(cni.take, 12, { concurrency: 12 })
        assert.strictEqual(new Set(networks.map(({ ipAddress }) => ipAddress)).size, 12)
        assert.strictEqual(new Set(networks.map(({ name }) => name)).size, 12)
        yield* stop
        assert.strictEqual((yield* machine.traces).namespaces.length, 12)
      }),
    limitMs
  )

  it.live(
    "that nobody waits for any more are not kept",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { cni } = yield* machine.start()
        const waited = yield* Effect.forEach([1, 20, 60], (patience) => Effect.timeoutOption(cni.take, patience))
        // A machine with nothing else to do may be as fast as the patient ones.
        yield* Effect.forEach(waited.flatMap(Option.toArray), ({ name }) => cni.release(name))
        assert.isTrue(waited.some(Option.isNone))
        yield* machine.isBare
      }),
    limitMs
  )

  it.live(
    "outlive the Agent that took them, and are found by name by the next one, which removes what nobody uses",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const first = yield* machine.start({ prepared: 2 })
        const [used, forgotten] = yield* Effect.all([first.cni.take, first.cni.take])
        yield* first.stop
        const { cni } = yield* machine.start()
        assert.deepStrictEqual(yield* cni.find(used.name), Option.some(used))
        assert.strictEqual(yield* cni.reconcile(new Set([used.name])), 1)
        assert.isTrue(Option.isNone(yield* cni.find(forgotten.name)))
        yield* cni.check(used.name)
        yield* cni.release(used.name)
        yield* machine.isBare
        assert.strictEqual(yield* cni.reconcile(new Set()), 0)
      }),
    limitMs
  )

  it.live(
    "of this run are none of its leftovers, prepared ones included, nor are those of other stacks",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const identity = { brand: machine.brand, environment: "other" }
        const other = yield* machine.start({ identity, stateDirectory: join(machine.directory, "others") })
        const theirs = yield* other.cni.take
        const { cni } = yield* machine.start({ prepared: 2 })
        const mine = yield* cni.take
        assert.strictEqual(yield* cni.reconcile(new Set()), 0)
        yield* cni.check(mine.name)
        yield* other.cni.check(theirs.name)
      }),
    limitMs
  )

  it.live(
    "are not taken away while they come and go, however often leftovers are looked for; what a plugin did not take back is",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { cni, stop } = yield* machine.start({ prepared: 2 })
        const looking = yield* Effect.forkChild(
          Effect.forever(Effect.tap(cni.reconcile(new Set()), (count) => Effect.sync(() => void counts.push(count))))
        )
        const counts: Array<number> = []
        const cycle = Effect.gen(function* () {
          const { name } = yield* cni.take
          yield* cni.check(name)
          yield* cni.release(name)
        })
        yield* Effect.replicateEffect(cycle, 20, { concurrency: 3 })
        yield* Fiber.interrupt(looking)
        assert.isAbove(counts.length, 10)
        assert.deepStrictEqual(new Set(counts), new Set([0]))

        const { name } = yield* cni.take
        machine.replacePlugin("bridge", "[ $CNI_COMMAND = DEL ] || exec $REAL\nexit 3")
        yield* Effect.flip(cni.release(name))
        machine.restorePlugin("bridge")
        assert.strictEqual(yield* cni.reconcile(new Set()), 1)
        yield* stop
        yield* machine.isBare
      }),
    limitMs
  )

  it.live(
    "are refused when the bridge has no address left, and made again when one is given back",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { cni } = yield* machine.start({ subnet: Result.getOrThrow(Subnet.parse("10.77.0.0/29")) })
        const networks = yield* Effect.replicateEffect(cni.take, 5)
        const { message } = yield* Effect.flip(cni.take)
        assert.include(message, "no IP addresses available")
        assert.strictEqual((yield* machine.traces).namespaces.length, 5)
        yield* cni.release(networks[0]?.name ?? "")
        const again = yield* cni.take
        assert.strictEqual(again.ipAddress, networks[0]?.ipAddress)
      }),
    limitMs
  )

  it.live(
    "are where their brand has them when the subnet is found, beside other configurations",
    () =>
      Effect.gen(function* () {
        const machine = yield* WorkerNetworks.make
        const { cni } = yield* machine.start({ subnet: "auto" })
        assert.match(cni.bridge.subnet, /^10\.\d+\.\d+\.0\/23$/)
        assert.match(cni.bridge.name, new RegExp(`^esb-${machine.brand.slice(0, 4)}[0-9a-f]{6}$`))
        const { ipAddress, name } = yield* cni.take
        assert.include(
          yield* machine.onMachine("ip", "-brief", "address", "show", "dev", cni.bridge.name),
          cni.bridge.gateway
        )
        assert.strictEqual(ipAddress.split(".")[1], cni.bridge.gateway.split(".")[1])
        const written = [
          join(machine.directory, "cni.env"),
          join(machine.directory, "net.d", `10-${machine.brand}-net.conflist`)
        ]
        for (const path of written) assert.strictEqual(statSync(path).mode & 0o777, 0o644, path)
        assert.include(
          readFileSync(join(machine.directory, "cni.env"), "utf8"),
          `CNI_BRIDGE='${cni.bridge.name}'\nCNI_SUBNET='${cni.bridge.subnet}'\nCNI_GW_IP='${cni.bridge.gateway}'\n`
        )
        yield* cni.release(name)
      }),
    limitMs
  )
})
