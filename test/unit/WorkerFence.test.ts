import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Fence from "#domain/WorkerFence"

const stack = { brand: "acme", environment: "dev" }

const fence = (of: "agent" | "machine"): Fence.WorkerFence => ({
  stack,
  bridge: "br-0a1b2c",
  entry: "DOCKER-USER",
  doors: { address: of === "agent" ? "10.89.0.2" : "10.89.0.1", ports: { first: 20_000, last: 29_999 }, of },
  reach: [{ address: "10.89.0.3", port: 443 }]
})

interface Packet {
  readonly from?: string
  readonly to: string
  readonly port: number
  readonly protocol?: "tcp" | "udp"
  readonly isAnswer?: boolean
  /** Where it was sent, where that is another place. */
  readonly sentTo?: Fence.Endpoint
  /** The interface by which it leaves; none where it ends on the machine. */
  readonly leavesBy?: string
}

const isIn = (network: string, address: string): boolean =>
  network.endsWith(".0.0/16") ? address.startsWith(network.slice(0, -"0.0/16".length)) : address === network

const isBy = (interfaces: string, name = ""): boolean =>
  interfaces.endsWith("+") ? name.startsWith(interfaces.slice(0, -1)) : name === interfaces

/** What a packet filter does: the first rule that fits decides. */
const decide = (rules: ReadonlyArray<Fence.Rule>, packet: Packet): Fence.Rule["verdict"] | "return" => {
  const { from = "10.89.128.7", isAnswer = false, leavesBy, port, protocol = "tcp", sentTo, to } = packet
  const named = sentTo ?? { address: to, port }
  const first = rules.find(
    (rule) =>
      (rule.from === undefined || rule.from === from) &&
      (rule.to === undefined || isIn(rule.to, to)) &&
      (rule.leavesBy === undefined || isBy(rule.leavesBy, leavesBy)) &&
      (rule.leavesNotBy === undefined || rule.leavesNotBy !== leavesBy) &&
      (rule.isAnswer !== true || isAnswer) &&
      (rule.isRedirected !== true || sentTo !== undefined) &&
      (rule.sentTo === undefined || (rule.sentTo.address === named.address && rule.sentTo.port === named.port)) &&
      (rule.protocol === undefined || rule.protocol === protocol) &&
      (rule.ports === undefined || (rule.ports.first <= port && port <= rule.ports.last))
  )
  return first?.verdict ?? "return"
}

const worker = "10.89.128.8"
const onBridge = { leavesBy: "br-0a1b2c" }
const outwards = { leavesBy: "eth0" }

describe("the fence around workers", () => {
  it("lets a worker of an Agent in its network reach its doors and the services that are named, and nobody else there", () => {
    const { passing } = Fence.rules(fence("agent"))
    const towards = (to: string, port: number, more: Partial<Packet> = {}) =>
      decide(passing, { to, port, ...onBridge, ...more })
    assert.strictEqual(towards("10.89.0.2", 20_000), "accept")
    assert.strictEqual(towards("10.89.0.2", 29_999), "accept")
    assert.strictEqual(towards("10.89.0.3", 443), "accept")
    // The engine decides the rest, which is that containers of this bridge do not meet.
    assert.strictEqual(towards("10.89.0.2", 50_051), "return")
    assert.strictEqual(towards("10.89.0.3", 8_080), "return")
    assert.strictEqual(towards("10.89.0.3", 443, { protocol: "udp" }), "return")
    assert.strictEqual(towards(worker, 20_000), "return")
  })

  describe("on a bridge that no engine knows", () => {
    const { passing, returning } = Fence.rules({ ...fence("machine"), entry: "FORWARD" })

    it("lets nothing back to the bridge but to the services that are named", () => {
      assert.strictEqual(decide(passing, { to: worker, port: 8_080, ...onBridge }), "reject")
      assert.strictEqual(decide(passing, { to: "10.89.0.3", port: 443, ...onBridge }), "accept")
    })

    it("opens the way out and back, which an engine on the same machine would close", () => {
      assert.strictEqual(decide(passing, { to: "93.184.216.34", port: 443, ...outwards }), "accept")
      assert.strictEqual(decide(returning, { to: worker, port: 40_000, isAnswer: true }), "accept")
      assert.strictEqual(decide(returning, { to: worker, port: 8_080 }), "return")
      assert.deepStrictEqual(Fence.rules(fence("machine")).returning, [])
    })

    it("leaves an engine's containers to the engine, and lets no worker in by ports that it publishes, unless they are named", () => {
      const towards = (packet: Partial<Packet>) =>
        decide(passing, { to: "172.17.0.2", port: 80, leavesBy: "docker0", ...packet })
      assert.strictEqual(towards({}), "return")
      assert.strictEqual(towards({ leavesBy: "br-77" }), "return")
      assert.strictEqual(towards({ sentTo: { address: "192.168.1.9", port: 80 } }), "reject")
      assert.strictEqual(towards({ sentTo: { address: "10.89.0.3", port: 443 } }), "accept")
    })
  })

  it("lets an Agent in the network reach workers, and answers return", () => {
    const { passing } = Fence.rules(fence("agent"))
    assert.strictEqual(decide(passing, { from: "10.89.0.2", to: worker, port: 8_080, ...onBridge }), "accept")
    assert.strictEqual(
      decide(passing, { from: worker, to: "10.89.0.2", port: 40_000, isAnswer: true, ...onBridge }),
      "accept"
    )
    assert.strictEqual(decide(passing, { from: worker, to: "10.89.0.2", port: 40_000, ...onBridge }), "return")
  })

  it("rejects all that ends on the machine, but name service, named services and the doors of an Agent that runs there", () => {
    const towards = (of: "agent" | "machine", packet: Packet) => decide(Fence.rules(fence(of)).ending, packet)
    assert.strictEqual(towards("machine", { to: "10.89.0.1", port: 20_000 }), "accept")
    assert.strictEqual(towards("machine", { to: "192.168.1.9", port: 20_000 }), "reject")
    assert.strictEqual(towards("agent", { to: "10.89.0.1", port: 20_000 }), "reject")
    for (const of of ["agent", "machine"] as const) {
      assert.strictEqual(towards(of, { to: "10.89.0.1", port: 50_051 }), "reject")
      assert.strictEqual(towards(of, { to: "192.168.1.9", port: 22 }), "reject")
      assert.strictEqual(towards(of, { to: "10.89.0.1", port: 53, protocol: "udp" }), "accept")
      assert.strictEqual(towards(of, { to: "10.89.0.3", port: 443 }), "accept")
      assert.strictEqual(towards(of, { to: "10.89.0.1", port: 40_000, isAnswer: true }), "accept")
    }
  })

  it("leaves the way out alone, but for what clouds tell machines at 169.254.0.0/16, name service excepted", () => {
    const { passing } = Fence.rules(fence("agent"))
    assert.strictEqual(decide(passing, { to: "93.184.216.34", port: 443, ...outwards }), "return")
    assert.strictEqual(decide(passing, { to: "10.89.0.3", port: 443, ...outwards }), "return")
    assert.strictEqual(decide(passing, { to: "169.254.169.254", port: 80, ...outwards }), "reject")
    assert.strictEqual(decide(passing, { to: "169.254.170.2", port: 80, ...onBridge }), "reject")
    assert.strictEqual(decide(passing, { to: "169.254.169.253", port: 53, protocol: "udp", ...outwards }), "return")
  })

  it("has names that the kernel takes, the same for a stack for ever and different for every other", () => {
    assert.deepStrictEqual(Fence.chains(stack), {
      passing: "acme-175ccea4-pass",
      ending: "acme-175ccea4-host",
      returning: "acme-175ccea4-back"
    })
    const long = { brand: "a-very-long-brand-of-a-project", environment: "staging" }
    const names = [stack, { ...stack, environment: "prod" }, long, { ...long, environment: "dev" }].map(
      (each) => Fence.chains(each).passing
    )
    assert.strictEqual(new Set(names).size, names.length)
    for (const name of names) {
      assert.isAtMost(name.length, 28)
      assert.match(name, /^[a-z0-9-]+$/)
    }
  })

  it("is read from JSON, and refused with what is wrong in it", () => {
    const decode = Schema.decodeUnknownResult(Fence.WorkerFence)
    assert.deepStrictEqual(decode(fence("machine")), Result.succeed(fence("machine")))
    const wrong = [
      { ...fence("agent"), bridge: "br-0 -j ACCEPT" },
      { ...fence("agent"), reach: [{ address: "10.89.0.300", port: 443 }] },
      { ...fence("agent"), entry: "INPUT" },
      { ...fence("agent"), stack: { brand: "Acme Core", environment: "dev" } },
      { ...fence("agent"), doors: undefined }
    ]
    for (const each of wrong) assert.isTrue(Result.isFailure(decode(each)), JSON.stringify(each))
  })

  it("reads the services that settings name", () => {
    assert.deepStrictEqual(Fence.readEndpoint("10.89.0.3:443"), Result.succeed({ address: "10.89.0.3", port: 443 }))
    for (const text of [
      "",
      "10.89.0.3",
      "gateway:443",
      "10.89.0.3:0",
      "10.89.0.3:70000",
      "256.0.0.1:1",
      "1.2.3.4:5:6"
    ]) {
      assert.deepStrictEqual(Fence.readEndpoint(text), Result.fail(text))
    }
  })
})
