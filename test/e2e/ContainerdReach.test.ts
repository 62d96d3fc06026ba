/** What workers of containerd may reach, and what not, on a machine whose Docker Engine lets nothing pass but its own. */
import { assert, describe, it } from "@effect/vitest"
import { randomBytes } from "node:crypto"
import { Effect } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import type { Environment } from "#test/support/BareServer"
import { taskOf, tasks } from "#test/support/ContainerdSamples"
import * as ContainerdStack from "#test/support/ContainerdStack"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as FreePort from "#test/support/FreePort"
import * as FunctionImage from "#test/support/FunctionImage"
import * as Reach from "#test/support/Reach"
import * as WorkerNetworks from "#test/support/WorkerNetworks"

/** A port of a worker and of a container, of which nobody has been told. */
const unnamedPort = 7_001
/** Of a container, published by its engine, which lets everybody in at it. */
const publishedPort = 7_002

const insideOf = (name: string, ...flags: ReadonlyArray<string>) => {
  const id = randomBytes(4).toString("hex")
  return (...command: ReadonlyArray<string>) =>
    Effect.flatMap(ContainerdWorkers.Machine, ({ ctr }) =>
      ctr("tasks", "exec", ...flags, "--exec-id", id, name, ...command)
    )
}

/** Where a worker is, and its door. */
const placeOf = Effect.fnUntraced(function* (name: string) {
  const { ctr } = yield* ContainerdWorkers.Machine
  const { pid } = yield* taskOf({ name })
  const inItsNetwork = `--net=/proc/${pid}/ns/net`
  const told = yield* WorkerNetworks.run(
    "nsenter",
    inItsNetwork,
    "ip",
    "-4",
    "-brief",
    "address",
    "show",
    "dev",
    "eth0"
  )
  const [, address = ""] = /\s([\d.]+)\/\d+/.exec(told) ?? []
  const [, host = "", port = ""] =
    /AWS_LAMBDA_RUNTIME_API=([\d.]+):(\d+)/.exec(yield* ctr("containers", "info", name)) ?? []
  return { address, door: [host, Number(port)] as const }
})

/** Two workers of an Agent that listens everywhere, and what stands around them. */
const world = Effect.fnUntraced(function* (fence: Environment) {
  const stack = yield* AgentStack.Shared
  const machine = yield* ContainerdStack.gateway
  const published = yield* FreePort.find
  const ports = [unnamedPort, publishedPort]
  const beside = yield* Reach.service("bridge", ports, "--publish", `${published}:${publishedPort}`)
  const [named, unnamed] = yield* Effect.all([Reach.machineService, Reach.machineService])
  const [data, metrics] = [yield* FreePort.find, yield* FreePort.find]
  const agent = yield* stack.agent({
    ...(yield* ContainerdStack.settings),
    AGENT_HOST: "0.0.0.0",
    AGENT_DATA_PORT: String(data),
    AGENT_METRICS_PORT: String(metrics),
    AGENT_DNS_NAMES: `store=${machine}`,
    WORKER_REACH: `${machine}:${named}`,
    ...fence
  })
  const grpc = Number(agent.address.split(":")[1])
  const { reference: image } = yield* Effect.promise(() => FunctionImage.archive())
  const entry = { image, handler: "index.echo", timeout: 20 }
  const gateway = yield* stack.gateway([`127.0.0.1:${grpc}`], {
    functions: { first: entry, second: entry },
    settings: { ENABLE_CONTAINER_PAUSE: "false" }
  })
  for (const name of ["first", "second"]) assert.strictEqual((yield* gateway.call(name, 1)).text, "1", agent.stderr())
  const found = (yield* tasks).map(({ name }) => name)
  const nameOf = (part: string) => found.find((name) => name.includes(part)) ?? assert.fail(`no ${part} in ${found}`)
  const [worker, other] = [nameOf("-first-"), nameOf("-second-")]
  const [own, others] = yield* Effect.all([placeOf(worker), placeOf(other)])
  yield* Reach.serveBy(insideOf(other, "--detach"), unnamedPort)
  yield* eventually("the other worker listens", Reach.fromHere(others.address, unnamedPort), (isThere) => isThere)
  return {
    look: (targets: Reach.Targets) => Reach.lookFrom(insideOf(worker), targets),
    allowed: { "its door": own.door, "a named service": [machine, named], "its name": ["store", named] } as const,
    machines: {
      "the machine": [machine, unnamed],
      "the machine by another name": ["172.17.0.1", unnamed],
      "a published port": [machine, published],
      "the Agent's gRPC": [machine, grpc],
      "the Agent's data door": [machine, data],
      "the Agent's metrics": [machine, metrics]
    } as const,
    apart: {
      "another worker": [others.address, unnamedPort],
      "an engine's container": [beside.address, unnamedPort]
    } as const,
    door: others.door
  }
})

describe(
  "a worker in a container of containerd",
  { ...needs("containerd", "cni", "docker", "packet-filter"), timeout: 90_000 },
  () => {
    it.layer(
      AgentStack.layer,
      AgentStack.live
    )((it) => {
      it.effect("gets a byte from its door, by name and from named services, and from nothing else around it", () =>
        Effect.gen(function* () {
          const { allowed, apart, door, look, machines } = yield* world({ WORKER_FENCE: "on" })
          const forbidden = { ...machines, ...apart }
          assert.deepStrictEqual(yield* look(allowed), Reach.everywhere(allowed, "answered"))
          assert.deepStrictEqual(yield* look(forbidden), Reach.everywhere(forbidden, "unreachable"))
          assert.deepStrictEqual(yield* look({ door }), { door: "closed" })
        }).pipe(Effect.scoped, Effect.provide(ContainerdWorkers.machine()))
      )

      it.effect("without a fence reaches the machine, so that the looks of this test see what there is to see", () =>
        Effect.gen(function* () {
          const { allowed, apart, door, look, machines } = yield* world({ WORKER_FENCE: "off" })
          assert.deepStrictEqual(yield* look(allowed), Reach.everywhere(allowed, "answered"))
          const seen = yield* look(machines)
          for (const name of Object.keys(machines)) assert.notStrictEqual(seen[name], "unreachable", name)
          assert.deepStrictEqual(yield* look(apart), Reach.everywhere(apart, "unreachable"))
          assert.deepStrictEqual(yield* look({ door }), { door: "closed" })
        }).pipe(Effect.scoped, Effect.provide(ContainerdWorkers.machine()))
      )
    })
  }
)
