/** The built program on a machine of the test's own: a network namespace, with a containerd that has its files for itself. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import * as ContainerdConfig from "#domain/ContainerdConfig"
import { programAt } from "#test/support/Cli"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as PacketFilter from "#test/support/PacketFilter"
import * as Processes from "#test/support/Processes"

const run = promisify(execFile)
const patienceMs = 30_000

/** Runs in the namespace until the scope ends; its output is kept. */
const started = Effect.fnUntraced(function* (namespace: string, environment: Readonly<Record<string, string>>) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn("ip", ["netns", "exec", namespace, process.execPath, programAt("runtime-node")], {
        env: { PATH: process.env["PATH"], ...environment },
        stdio: ["ignore", "pipe", "pipe"]
      })
    ),
    (one) =>
      Effect.promise(async () => {
        if (one.exitCode !== null || one.signalCode !== null) return
        const gone = once(one, "exit")
        one.kill("SIGTERM")
        await gone
      })
  )
  let said = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (said += text))
  }
  return {
    said: () => said,
    /** Its exit code. */
    stop: Effect.promise(async () => {
      const gone = once(child, "exit")
      child.kill("SIGTERM")
      const [code] = (await gone) as [number | null]
      return code
    })
  }
})

const machine = Effect.gen(function* () {
  const filter = yield* PacketFilter.make
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-runtime-node-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const socket = join(directory, "containerd.sock")
  const config = join(directory, "config.toml")
  const state = join(directory, "state")
  writeFileSync(config, ContainerdConfig.write({ root: join(directory, "root"), state, socket, pool: undefined }))
  yield* filter.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other")
  yield* filter.run("ip", "address", "add", "192.0.2.1/24", "dev", "eth0")
  for (const end of ["other", "eth0"]) yield* filter.run("ip", "link", "set", end, "up")
  const environment = {
    CONTAINERD_SOCKET: socket,
    CONTAINERD_CONFIG: config,
    CNI_SUBNET: "10.77.0.0/16",
    CNI_BRIDGE: "esbt0",
    WORKER_REACH: "192.0.2.3:8443"
  }
  const containerd = () => Processes.of(directory).find(({ command }) => command.startsWith("containerd "))
  const answers = Effect.promise(() =>
    run("ctr", ["--address", socket, "version"]).then(
      () => true,
      () => false
    )
  )
  return {
    ...filter,
    environment,
    containerd,
    answering: eventually("containerd answers", answers, (isThere) => isThere, patienceMs)
  }
})

describe("the program of the runtime node", needs("containerd", "cni", "packet-filter"), () => {
  it.live(
    "opens the way out for workers, keeps containerd running, and takes its rules away when it ends",
    () =>
      Effect.gen(function* () {
        const { answering, containerd, environment, namespace, run: inside } = yield* machine
        const node = yield* started(namespace, environment)
        yield* answering
        assert.strictEqual((yield* inside("cat", "/proc/sys/net/ipv4/ip_forward")).trim(), "1")
        assert.strictEqual((yield* inside("cat", "/proc/sys/net/ipv4/conf/all/route_localnet")).trim(), "1")
        const nat = yield* inside("iptables", "-t", "nat", "-S")
        assert.include(nat, "-A POSTROUTING -s 10.77.0.0/16 ! -d 10.77.0.0/16 -j MASQUERADE")
        const forward = yield* inside("iptables", "-S", "FORWARD")
        assert.include(forward, "-A FORWARD -i esbt0 -j ACCEPT")
        assert.include(forward, "-A FORWARD -o esbt0 -j ACCEPT")
        const guard = (yield* inside("iptables", "-t", "mangle", "-S", "FORWARD")).split("\n")
        const places = ["192.0.2.3/32", "192.0.2.0/24"].map((to) =>
          guard.findIndex((line) => line.includes(`-d ${to} `))
        )
        assert.isTrue((places[0] ?? -1) > 0 && (places[1] ?? 0) > (places[0] ?? 0), guard.join("\n"))

        const first = containerd()
        assert.isDefined(first, node.said())
        process.kill(first?.pid ?? 0, "SIGKILL")
        yield* eventually(
          "another containerd runs",
          Effect.sync(containerd),
          (now) => now !== undefined && now.pid !== first?.pid,
          patienceMs
        )
        yield* answering
        assert.include(node.said(), "containerd is started again: it was ended by SIGKILL")

        assert.strictEqual(yield* node.stop, 0, node.said())
        assert.isUndefined(containerd())
        for (const table of ["nat", "filter", "mangle"]) {
          const left = (yield* inside("iptables", "-t", table, "-S"))
            .split("\n")
            .filter((line) => line.startsWith("-A"))
          assert.deepStrictEqual(left, [], table)
        }
      }).pipe(Effect.scoped),
    90_000
  )

  it.live(
    "refuses what it is not made for, with what is wrong and nothing started",
    () =>
      Effect.gen(function* () {
        const { containerd, environment, namespace } = yield* machine
        for (const [name, value] of [
          ["AGENT_RUNTIME", "docker"],
          ["IMAGE_RUNTIME", "docker"],
          ["CNI_SUBNET", "10.77.0.0"],
          ["DEVMAPPER_POOL", "no-pool-of-this-name"]
        ] as const) {
          const node = yield* started(namespace, { ...environment, [name]: value })
          yield* eventually(`${name} is named`, Effect.sync(node.said), (said) => said.includes(name), patienceMs)
          assert.isUndefined(containerd())
        }
      }).pipe(Effect.scoped),
    90_000
  )
})
