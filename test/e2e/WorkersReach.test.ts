/** What workers in containers may reach, and what not: real workers, a real engine, a real packet filter. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { chains } from "#domain/WorkerFence"
import * as AgentContainer from "#test/support/AgentContainer"
import * as AgentStack from "#test/support/AgentStack"
import type { Environment } from "#test/support/BareServer"
import { docker } from "#test/support/DockerImages"
import { freshStack } from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import * as FreePort from "#test/support/FreePort"
import * as FunctionImage from "#test/support/FunctionImage"
import * as Reach from "#test/support/Reach"

const brand = "agents"

/** A port of a worker, of a service and of the machine that somebody listens at and nobody has named. */
const unnamedPort = 7_001
const namedPort = 7_000

/** The network, and what stands in it and around it. */
const makeNetwork = Effect.gen(function* () {
  const network = yield* Reach.network
  const service = yield* Reach.service(network.name, [namedPort, unnamedPort], "--network-alias", "store")
  const published = yield* FreePort.find
  const beside = yield* Reach.service("bridge", [unnamedPort], "--publish", `${published}:${unnamedPort}`)
  const publishedHere = yield* FreePort.find
  yield* Reach.service(network.name, [unnamedPort], "--publish", `${publishedHere}:${unnamedPort}`)
  const machinePort = yield* Reach.machineService
  const metadata = yield* Reach.metadataService
  return { network, service, beside, published, publishedHere, machinePort, metadata }
})

/** What the tests of this file share. */
class Around extends Context.Service<Around, Effect.Success<typeof makeNetwork>>()("esb/test/WorkersReach") {}

/** A stack of its own in the network, and what to tell its Agent. */
const surroundings = Effect.gen(function* () {
  const around = yield* Around
  const environment = freshStack()
  // They outlive their Agent, and the network cannot go before them.
  yield* Effect.addFinalizer(() => Reach.clear(brand, environment))
  const settings: Environment = {
    ENV: environment,
    PROJECT_NAME: brand,
    CONTAINERS_NETWORK: around.network.name,
    WORKER_REACH: `${around.service.address}:${namedPort}`
  }
  return { ...around, environment, settings }
})
type Surroundings = Effect.Success<typeof surroundings>

/** Two workers, and somebody who listens in the second of them. */
const workers = Effect.fnUntraced(function* (gateway: AgentStack.Gateway, { environment }: Surroundings) {
  for (const name of ["first", "second"]) {
    const answer = yield* gateway.call(name, { n: 1 })
    assert.strictEqual(answer.status, 200, `${answer.text}\n${gateway.stderr()}`)
  }
  const names = yield* Reach.workersOf(brand, environment, 2)
  const worker = names.find((name) => name.includes("-first-")) ?? assert.fail(`no worker of first: ${names}`)
  const other = names.find((name) => name.includes("-second-")) ?? assert.fail(`no worker of second: ${names}`)
  yield* Reach.serveIn(other, unnamedPort)
  return { worker, own: yield* Reach.placeOf(worker), other: yield* Reach.placeOf(other) }
})

const gatewayOf = Effect.fnUntraced(function* (address: string, settings: Environment = {}) {
  const stack = yield* AgentStack.Shared
  const image = yield* Effect.promise(() => FunctionImage.reference())
  const entry = { image, handler: "index.echo", timeout: 10 }
  return yield* stack.gateway([address], {
    functions: { first: entry, second: entry },
    settings: { ENABLE_CONTAINER_PAUSE: "false", ...settings }
  })
})

/** Whatever is not a worker's business, but for the doors of others, where it stands before a closed one. */
const forbidden = (
  { beside, machinePort, metadata, network, published, publishedHere, service }: Surroundings,
  other: { readonly address: string },
  agent: Reach.Targets
): Reach.Targets => ({
  "another worker": [other.address, unnamedPort],
  "another port of a service": [service.address, unnamedPort],
  "a container of another network": [beside.address, unnamedPort],
  "a published port": [network.gateway, published],
  "a published port of this network": [network.gateway, publishedHere],
  "the machine": [network.gateway, machinePort],
  "the machine by another name": ["172.17.0.1", machinePort],
  "the cloud's metadata": metadata,
  ...agent
})

const allowed = ({ service }: Surroundings, { door }: { readonly door: readonly [string, number] }): Reach.Targets => ({
  "its door": door,
  "a named service": [service.address, namedPort],
  "its name": ["store", namedPort]
})

const fence = ({ environment }: Surroundings) => Reach.rulesAbout(...Object.values(chains({ brand, environment })))

/** The ports of an Agent on the machine, and workers of it. */
const onTheMachine = Effect.fnUntraced(function* (around: Surroundings, settings: Environment) {
  const stack = yield* AgentStack.Shared
  const [data, metrics] = [yield* FreePort.find, yield* FreePort.find]
  const agent = yield* stack.agent({
    ...around.settings,
    AGENT_RUNTIME: "docker",
    WORKER_FENCE: "auto",
    IMAGE_PULL_POLICY: "never",
    AGENT_HOST: "0.0.0.0",
    AGENT_DATA_PORT: String(data),
    AGENT_METRICS_PORT: String(metrics),
    ...settings
  })
  const gateway = yield* gatewayOf(`127.0.0.1:${agent.address.split(":")[1]}`)
  const { gateway: machine } = around.network
  const ports: Reach.Targets = {
    "the Agent's gRPC": [machine, Number(agent.address.split(":")[1])],
    "the Agent's data door": [machine, data],
    "the Agent's metrics": [machine, metrics]
  }
  return { agent, ports, ...(yield* workers(gateway, around)) }
})

describe("a worker in a container", { ...needs("docker", "packet-filter"), timeout: 90_000 }, () => {
  it.layer(Layer.merge(AgentStack.layer, Layer.effect(Around, makeNetwork)), {
    ...AgentStack.live,
    timeout: "90 seconds"
  })((it) => {
    it.effect(
      "of an Agent on the machine gets a byte from its door, DNS and named services, and from nothing else",
      () =>
        Effect.gen(function* () {
          const around = yield* surroundings
          yield* Effect.gen(function* () {
            const { other, own, ports, worker } = yield* onTheMachine(around, {})
            const mine = allowed(around, own)
            assert.deepStrictEqual(yield* Reach.from(worker, mine), Reach.everywhere(mine, "answered"))
            const others = forbidden(around, other, ports)
            assert.deepStrictEqual(yield* Reach.from(worker, others), Reach.everywhere(others, "unreachable"))
            assert.deepStrictEqual(yield* Reach.from(worker, { door: other.door }), { door: "closed" })
            assert.isAbove((yield* fence(around)).length, 0)
          }).pipe(Effect.scoped)
          // The Agent has stopped, its workers have not.
          assert.isAbove((yield* fence(around)).length, 0)
          yield* Reach.clear(brand, around.environment)
          assert.deepStrictEqual(yield* fence(around), [])
        })
    )

    it.effect("without a fence reaches the machine, so that the looks of this test see what there is to see", () =>
      Effect.gen(function* () {
        const around = yield* surroundings
        const { other, ports, worker } = yield* onTheMachine(around, { WORKER_FENCE: "off" })
        const seen = yield* Reach.from(worker, forbidden(around, other, ports))
        for (const name of [
          "the machine",
          "the machine by another name",
          "the cloud's metadata",
          "the Agent's metrics"
        ]) {
          assert.strictEqual(seen[name], "answered", name)
        }
        for (const name of ["the Agent's gRPC", "the Agent's data door", "a published port of this network"]) {
          assert.notStrictEqual(seen[name], "unreachable", name)
        }
        assert.strictEqual(seen["another worker"], "unreachable")
        assert.deepStrictEqual(yield* fence(around), [])
      })
    )

    it.effect("of an Agent in a container reaches the same, and the Agent reaches it", () =>
      Effect.gen(function* () {
        const around = yield* surroundings
        yield* Effect.gen(function* () {
          const agent = yield* AgentContainer.make(around.network.name, around.settings)
          const gateway = yield* gatewayOf(`${agent.address}:50051`, { AGENT_GRPC_TLS_DISABLED: "1" })
          const { other, own, worker } = yield* workers(gateway, around)
          const mine = allowed(around, own)
          assert.strictEqual(own.door[0], agent.address)
          assert.deepStrictEqual(yield* Reach.from(worker, mine), Reach.everywhere(mine, "answered"))
          const others = forbidden(around, other, {
            "the Agent's gRPC": [agent.address, 50_051],
            "the Agent's data door": [agent.address, 50_052],
            "the Agent's metrics": [agent.address, 9091],
            "a door's port of the machine": [around.network.gateway, other.door[1]]
          })
          assert.deepStrictEqual(yield* Reach.from(worker, others), Reach.everywhere(others, "unreachable"))
          assert.deepStrictEqual(yield* Reach.from(worker, { door: other.door }), { door: "closed" })
          const reached = yield* Reach.from(
            agent.id,
            { worker: [other.address, unnamedPort], service: [around.service.address, unnamedPort] },
            AgentContainer.node
          )
          assert.deepStrictEqual(reached, { worker: "answered", service: "answered" })
          // One container did it, and has gone.
          const filter = `name=${brand}-${around.environment}-fence`
          assert.strictEqual(yield* docker("ps", "--all", "--quiet", "--filter", filter), "")
          // With the last worker gone, the Agent takes its fence away.
          yield* Reach.removeWorkers(brand, around.environment)
          yield* agent.stop
        }).pipe(Effect.scoped)
        assert.deepStrictEqual(yield* fence(around), [])
      })
    )
  })
})
