/** Strangers lay hands on containers, the engine is slow, an image goes: every call still gets an answer, and a true one. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { Effect } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import { docker } from "#test/support/DockerImages"
import { freshStack } from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as FunctionImage from "#test/support/FunctionImage"
import * as SlowEngine from "#test/support/SlowEngine"
import * as StrangerFaults from "#test/support/StrangerFaults"

/** Names of the containers of a stack, those that have ended included. */
const containersOf = (environment: string) =>
  Effect.map(docker("ps", "--all", "--filter", `label=agents_env=${environment}`, "--format", "{{.Names}}"), (listed) =>
    listed.split("\n").filter((line) => line !== "")
  )

const cleared = Effect.fnUntraced(function* (environment: string) {
  const left = yield* containersOf(environment)
  if (left.length > 0) yield* docker("rm", "--force", "--volumes", ...left)
})

/** An Agent of a new stack. Containers outlive their Agent: what its Gateway leaves is removed before it ends, and its network after. */
const freshAgent = Effect.fnUntraced(function* (more: Readonly<Record<string, string>> = {}) {
  const stack = yield* AgentStack.Shared
  const environment = freshStack()
  const network = `esb-${environment}`
  const agent = yield* stack.agent({
    ENV: environment,
    AGENT_RUNTIME: "docker",
    CONTAINERS_NETWORK: network,
    IMAGE_PULL_POLICY: "never",
    ...more
  })
  yield* Effect.addFinalizer(() => cleared(environment))
  return { agent, environment, network }
})

const entryOf = (image: string) => ({ image, handler: "index.echo", timeout: 3 })

const functionImage = Effect.promise(() => FunctionImage.reference())

describe("containers of a Docker Engine in the hands of strangers", { ...needs("docker"), timeout: 120_000 }, () => {
  it.layer(
    AgentStack.layer,
    AgentStack.live
  )((it) => {
    it.effect("that are killed, removed, paused or unplugged cost no call a wrong answer, and are replaced", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const { agent, environment, network } = yield* freshAgent()
        const entry = entryOf(yield* functionImage)
        const names = Array.from({ length: 12 }, (_, n) => `f${n}`)
        const gateway = yield* stack.gateway([agent.address], {
          functions: Object.fromEntries(names.map((name) => [name, entry])),
          // Who is to blame for so many failures is not the question here.
          settings: { CIRCUIT_BREAKER_THRESHOLD: "1000" }
        })
        const faults = [
          (name: string) => ["kill", name],
          (name: string) => ["rm", "--force", name],
          (name: string) => ["pause", name],
          (name: string) => ["network", "disconnect", "--force", network, name]
        ]
        const present = containersOf(environment)
        const lay = (turn: number, name: string) =>
          // The container may have ended of itself by now.
          Effect.sync(() => void spawnSync("docker", faults[turn % faults.length]?.(name) ?? []))
        yield* StrangerFaults.withstand({ agent, gateway, names, present, lay })
        yield* eventually("a container each", containersOf(environment), ({ length }) => length === names.length)
      }).pipe(Effect.scoped)
    )

    it.effect("whose image is gone go on, and no other one is started", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const { agent, environment } = yield* freshAgent()
        const image = `esb-test-${environment}:1`
        yield* docker("tag", yield* functionImage, image)
        yield* Effect.addFinalizer(() => Effect.sync(() => spawnSync("docker", ["rmi", image])))
        const gateway = yield* stack.gateway([agent.address], {
          functions: { early: entryOf(image), late: entryOf(image) }
        })
        assert.isTrue(StrangerFaults.isGood(yield* gateway.call("early")))
        yield* docker("rmi", image)
        assert.isTrue(StrangerFaults.isGood(yield* gateway.call("early")))
        const late = yield* gateway.call("late")
        assert.strictEqual(late.status, 502)
        assert.include(late.text, image)
        assert.strictEqual((yield* containersOf(environment)).length, 1)
      }).pipe(Effect.scoped)
    )

    it.effect("of a slow engine come late, and none is left of those that nobody wants any more", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const slow = yield* SlowEngine.make()
        const { agent, environment } = yield* freshAgent({ DOCKER_HOST: `unix://${slow.socketPath}` })
        const entry = entryOf(yield* functionImage)
        const gateway = yield* stack.gateway([agent.address], { functions: { here: entry, there: entry } })
        yield* slow.delay(700)
        const [here, there] = yield* Effect.all([gateway.call("here", 1), gateway.call("there", 2)], {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual([here.json(), there.json()], [1, 2])
        assert.deepStrictEqual((yield* gateway.call("here", 3)).json(), 3)
        yield* gateway.deploy({ here: entry })
        yield* eventually(
          "the other is gone",
          containersOf(environment),
          (left) => left.length === 1 && left[0]?.includes("-here-") === true,
          15_000
        )
      }).pipe(Effect.scoped)
    )

    it.effect("of another stack on the same engine are left alone, whatever becomes of an Agent", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const ours = yield* freshAgent()
        const theirs = yield* freshAgent({ OWNER_LEASE_SECONDS: "1" })
        const functions = { echo: entryOf(yield* functionImage) }
        const gateway = yield* stack.gateway([ours.agent.address], { functions })
        const other = yield* stack.gateway([theirs.agent.address], { functions })
        assert.isTrue(StrangerFaults.isGood(yield* gateway.call("echo")))
        assert.isTrue(StrangerFaults.isGood(yield* other.call("echo")))
        const before = yield* containersOf(ours.environment)
        assert.strictEqual(before.length, 1)

        yield* theirs.agent.kill
        yield* theirs.agent.start()
        yield* eventually("the neighbour serves again", other.call("echo"), StrangerFaults.isGood, 20_000)
        yield* other.stop
        yield* eventually(
          "its collection has run",
          containersOf(theirs.environment),
          ({ length }) => length === 0,
          10_000
        )
        assert.deepStrictEqual(yield* containersOf(ours.environment), before)
        assert.isTrue(StrangerFaults.isGood(yield* gateway.call("echo")))
      }).pipe(Effect.scoped)
    )
  })
})
