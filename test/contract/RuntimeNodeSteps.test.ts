/** What a runtime node tells its machine, on one that writes it down. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Fiber, Result, Scope } from "effect"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { TestClock } from "effect/testing"
import * as Subnet from "#domain/Subnet"
import * as Cgroups from "#programs/runtime-node/Cgroups"
import * as Devices from "#programs/runtime-node/Devices"
import * as Engine from "#programs/runtime-node/Engine"
import * as Forwarding from "#programs/runtime-node/Forwarding"
import * as Kernel from "#programs/runtime-node/Kernel"
import * as KernelFiles from "#programs/runtime-node/KernelFiles"
import * as MachineFiles from "#programs/runtime-node/MachineFiles"
import { settings } from "#programs/runtime-node/Settings"
import * as Setting from "#programs/Setting"
import * as RecordedMachine from "#test/support/RecordedMachine"

/** As a runtime node has them whose environment is this and nothing else. */
const resolved = (env: Readonly<Record<string, string>>) =>
  Setting.resolve(settings, {}).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env })),
    Effect.provide(NodeServices.layer)
  )

const values = (env: Readonly<Record<string, string>> = {}) => Effect.orDie(resolved(env))

const group = "/sys/fs/cgroup"

const secondVersion = {
  "/proc/self/cgroup": "0::/\n",
  [`${group}/cgroup.controllers`]: "cpuset cpu io memory pids\n",
  [`${group}/esb/cgroup.type`]: "domain\n",
  [`${group}/cgroup.procs`]: "1\n7\n"
}

const reason = <A, E extends { readonly message: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), ({ message }) => message)

describe("a runtime node", () => {
  it.effect("moves every process into a leaf before controllers are handed on to workers", () =>
    Effect.gen(function* () {
      const machine = RecordedMachine.make({ files: secondVersion })
      const delegation = yield* Effect.forkChild(Effect.provide(Cgroups.delegate(yield* values()), machine.layer))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(delegation)
      const leaf = `${group}/esb/runtime-node`
      assert.deepStrictEqual(
        [...new Set(machine.told)],
        [
          `mkdir ${leaf}`,
          `${leaf}/cgroup.procs < 1`,
          `${leaf}/cgroup.procs < 7`,
          `${group}/cgroup.subtree_control < +cpu +io +memory +pids`,
          `${group}/esb/cgroup.subtree_control < +cpu +io +memory +pids`
        ]
      )
    })
  )

  it.effect(
    "leaves control groups alone that are of the first version, or the machine's own, or where it is told to",
    () =>
      Effect.gen(function* () {
        for (const [groups, env] of [
          ["4:memory:/docker/1\n0::/\n", {}],
          ["0::/system.slice/docker-1.scope\n", {}],
          ["0::/\n", { CGROUP_DELEGATION: "0" }]
        ] as const) {
          const machine = RecordedMachine.make({ files: { ...secondVersion, "/proc/self/cgroup": groups } })
          yield* Effect.provide(Cgroups.delegate(yield* values(env)), machine.layer)
          assert.deepStrictEqual(machine.told, [], groups)
        }
      })
  )

  it.effect("refuses a machine whose control groups are not enough for workers", () =>
    Effect.gen(function* () {
      const refusal = (files: Readonly<Record<string, string>>, env = {}) =>
        Effect.flatMap(values(env), (given) =>
          reason(
            Effect.provide(
              Cgroups.delegate(given),
              RecordedMachine.make({ files: { ...secondVersion, ...files } }).layer
            )
          )
        )
      assert.include(yield* refusal({ [`${group}/cgroup.controllers`]: "cpu pids" }), "no controllers io, memory")
      assert.include(yield* refusal({ [`${group}/esb/cgroup.type`]: "threaded\n" }), "is threaded")
      assert.include(yield* refusal({}, { CGROUP_PARENT: "acme" }), `${group}/acme/cgroup.type`)
    })
  )

  it.effect("makes the kernel's files writable, switches forwarding on, and leaves checksums to nobody else", () =>
    Effect.gen(function* () {
      const machine = RecordedMachine.make({
        files: {
          "/proc/self/mountinfo":
            "1 0 0:1 / /proc/sys ro - proc proc rw\n2 0 0:2 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
          "/proc/sys/net/ipv4/ip_forward": "1\n",
          "/proc/sys/net/ipv4/conf/all/route_localnet": "0\n"
        },
        networks: ["eth0", "eth1", "esb0"].map((name) => ({
          name,
          subnet: Result.getOrThrow(Subnet.parse("10.1.0.0/16"))
        })),
        answers: { "ethtool --offload eth0 rx off tx off": undefined }
      })
      yield* KernelFiles.open.pipe(
        Effect.andThen(Kernel.forwardPackets),
        Effect.andThen(Kernel.computeChecksums),
        Effect.provide(machine.layer)
      )
      assert.deepStrictEqual(machine.told, [
        "mount -o remount,bind,rw /proc/sys",
        "/proc/sys/net/ipv4/conf/all/route_localnet < 1",
        "ethtool --offload eth0 rx off tx off",
        "ethtool --offload eth1 rx off tx off"
      ])
    })
  )

  it.effect("makes a route to the network behind WireGuard by the gateway that is said, or known, or everybody's", () =>
    Effect.gen(function* () {
      const routed = Effect.fnUntraced(function* (
        env: Readonly<Record<string, string>>,
        options: RecordedMachine.Options = {}
      ) {
        const machine = RecordedMachine.make(options)
        const given = yield* values({ WG_CONTROL_NET: "10.99.0.0/24", ...env })
        const fiber = yield* Effect.forkChild(Effect.provide(Kernel.routeToControl(given), machine.layer))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
        return machine.told.at(-1)
      })
      const by = (gateway: string) => `ip route replace 10.99.0.0/24 via ${gateway}`
      assert.strictEqual(yield* routed({ WG_CONTROL_GW: "10.1.0.9" }), by("10.1.0.9"))
      assert.strictEqual(yield* routed({}, { hosts: { gateway: "10.1.0.3" } }), by("10.1.0.3"))
      const answers = { "ip -4 route show default": "default via 10.1.0.1 dev eth0\n" }
      assert.strictEqual(yield* routed({}, { answers }), by("10.1.0.1"))
      assert.isUndefined(yield* routed({ WG_CONTROL_NET: "" }))
    })
  )

  it.effect("adds rules that are not all there, once it knows where workers are, and takes them away again", () =>
    Effect.gen(function* () {
      const check = "iptables --wait 5 --table nat --check POSTROUTING -s 10.5.0.0/23 ! -d 10.5.0.0/23 -j MASQUERADE"
      const machine = RecordedMachine.make({ answers: { [check]: undefined } })
      const scope = yield* Scope.make()
      yield* Forwarding.open(yield* values({ CNI_SUBNET: "auto" })).pipe(
        Effect.provide(machine.layer),
        Scope.provide(scope)
      )
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(machine.told, [], "nobody knows where workers are")
      machine.write("/var/lib/cni/esb-cni.env", "CNI_BRIDGE='esb-acme12'\nCNI_SUBNET='10.5.0.0/23'\n")
      yield* TestClock.adjust("10 seconds")
      const acts = (act: string) => machine.told.filter((text) => text.includes(act))
      assert.include(acts("--append")[0], "-s 10.5.0.0/23")
      assert.isTrue(acts("--append").some((text) => text.endsWith("--append FORWARD -i esb-acme12 -j ACCEPT")))
      assert.strictEqual(
        acts("--delete").length,
        acts("--append").length - 1,
        "those that were there come in their order"
      )
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(acts("--delete").length, 2 * acts("--append").length - 1)
    })
  )

  it.effect("touches no rules where all are there", () =>
    Effect.gen(function* () {
      const machine = RecordedMachine.make()
      const scope = yield* Scope.make()
      yield* Forwarding.open(yield* values({ CNI_SUBNET: "10.5.0.0/16" })).pipe(
        Effect.provide(machine.layer),
        Scope.provide(scope)
      )
      assert.isTrue(machine.told.every((text) => text.includes("--check")))
      yield* Scope.close(scope, Exit.void)
    })
  )

  it.effect("leaves no rule behind when one of them cannot be added", () =>
    Effect.gen(function* () {
      const there = "iptables --wait 5 --table nat --check POSTROUTING -s 10.5.0.0/16 ! -d 10.5.0.0/16 -j MASQUERADE"
      const added = "iptables --wait 5 --table filter --append FORWARD -o esb0 -j ACCEPT"
      const machine = RecordedMachine.make({ answers: { [there]: undefined, [added]: undefined } })
      const opened = Forwarding.open(yield* values({ CNI_SUBNET: "10.5.0.0/16" }))
      assert.include(yield* reason(Effect.scoped(Effect.provide(opened, machine.layer))), added)
      const after = machine.told.slice(machine.told.indexOf(added) + 1)
      assert.include(after, there.replace("--check", "--delete"))
      assert.include(after, "iptables --wait 5 --table filter --delete FORWARD -i esb0 -j ACCEPT")
    })
  )

  it.effect("names a setting of the network that cannot be used, and every word of one that is a list", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(
        resolved({
          WORKER_REACH: "gateway, 10.89.0.3:443,10.89.0.4",
          CNI_DNS_SERVER: "coredns",
          CNI_SUBNET: "10.5.0.0"
        })
      )
      assert.deepStrictEqual(
        refused.map(({ message }) => message),
        [
          'CNI_SUBNET (--cni-subnet) is "10.5.0.0": expected auto, or an IPv4 network of 4 addresses or more, such as 10.88.0.0/16',
          'CNI_DNS_SERVER (--cni-dns-server) is "coredns": expected an address, such as 10.88.0.1',
          'WORKER_REACH (--worker-reach) has "gateway": expected an address and a port, such as 10.89.0.3:443',
          'WORKER_REACH (--worker-reach) has "10.89.0.4": expected an address and a port, such as 10.89.0.3:443'
        ]
      )
    })
  )

  it.effect("refuses a machine without the pool or the socket that its workers need", () =>
    Effect.gen(function* () {
      const noPool = RecordedMachine.make({ answers: { "dmsetup status fc-pool": undefined } })
      const given = yield* values({ DEVMAPPER_POOL: "fc-pool" })
      const pool = yield* Effect.forkChild(reason(Effect.provide(Devices.checkPool(given), noPool.layer)))
      yield* TestClock.adjust("5 seconds")
      assert.include(yield* Fiber.join(pool), "DEVMAPPER_POOL is fc-pool, which this machine has not got")
      assert.strictEqual(noPool.told.filter((text) => text === "dmsetup mknodes").length, 10)

      const machines = { CONTAINERD_RUNTIME: "aws.firecracker" }
      const look = (env: Readonly<Record<string, string>>) =>
        Effect.flatMap(values(env), (asked) => Effect.provide(Devices.checkVsock(asked), RecordedMachine.make().layer))
      yield* look(machines)
      assert.include(yield* reason(look({ ...machines, VHOST_VSOCK_REQUIRED: "1" })), "/dev/vhost-vsock")
    })
  )

  it.effect("says at once which files of virtual machines have to be mounted", () =>
    Effect.gen(function* () {
      const directory = "/var/lib/firecracker-containerd/shim-base"
      const config = "/etc/firecracker-containerd/config.toml"
      const prepared = (env: Readonly<Record<string, string>>, options: RecordedMachine.Options = {}) =>
        Effect.flatMap(values(env), (given) =>
          Effect.provide(MachineFiles.prepare(given), RecordedMachine.make(options).layer)
        )
      const machines = { CONTAINERD_RUNTIME: "aws.firecracker" }
      const said = yield* reason(prepared(machines, { closed: [directory] }))
      assert.include(said, `There is no ${config}`)
      assert.include(said, "mount the machine's /var/lib/firecracker-containerd there")
      assert.include(
        yield* reason(prepared({ CONTAINERD_CONFIG: "/srv/c.toml" })),
        "/srv/c.toml, which CONTAINERD_CONFIG"
      )
      yield* prepared(machines, { files: { [config]: "" } })
      yield* prepared({}, { closed: [directory] })
    })
  )

  it.effect(
    "starts containerd and its Agent again when they end; at its own end the Agent goes first, and nobody stays frozen",
    () =>
      Effect.gen(function* () {
        const groups = "/sys/fs/cgroup/freezer"
        const [frozen = "", other = ""] = ["one", "other"].map((name) => `${groups}/esb/${name}/freezer.state`)
        const machine = RecordedMachine.make({
          files: { [groups]: "", [frozen]: "FROZEN\n", [other]: "THAWED\n" },
          answers: { [`find ${groups} -mindepth 2 -name freezer.state`]: `${frozen}\n${other}\n` }
        })
        const env = { RUNTIME_NODE_AGENT: "1", IMAGE_RUNTIME: "containerd" }
        const node = yield* Effect.forkChild(Effect.provide(Engine.run(yield* values(env)), machine.layer))
        yield* TestClock.adjust("1 second")
        const names = () =>
          machine.started.map(({ program: { args, command } }) => (command === "containerd" ? command : args[0]))
        assert.strictEqual(names()[0], "containerd")
        assert.match(names()[1] ?? "", /\/agent\.js$/)
        assert.deepStrictEqual(machine.started[1]?.program.environment, { AGENT_RUNTIME: "containerd" })
        assert.isTrue(machine.told.some((text) => text.startsWith("/run/containerd/config.toml < version = 2")))

        yield* machine.started[0]?.end("it was ended by SIGKILL") ?? Effect.void
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(names().slice(2), ["containerd"], "the Agent goes on")
        yield* machine.started[1]?.end("it ended with code 1") ?? Effect.void
        yield* TestClock.adjust("1 second")
        assert.lengthOf(names(), 4)

        process.emit("SIGHUP")
        yield* TestClock.adjust("1 second")
        assert.lengthOf(names(), 5)
        assert.match(names()[4] ?? "", /\/agent\.js$/)

        const before = machine.told.length
        yield* Fiber.interrupt(node)
        const [agent, ...ended] = machine.told.slice(before)
        assert.match(agent ?? "", /node is ended$/)
        assert.deepStrictEqual(ended.slice(1), [`${frozen} < THAWED`, "containerd is ended"])
      })
  )
})
