/** Agents of one stack at one engine: the second is refused while the first lives, and let in once that is gone. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { hostname } from "node:os"
import { Effect, Layer } from "effect"
import type { AgentPresence } from "#layers/docker/AgentPresence"
import * as SoleAgent from "#layers/docker/SoleAgent"
import { docker } from "#test/support/DockerImages"
import * as DockerWorkers from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import * as FunctionImage from "#test/support/FunctionImage"

/** A stack of its own, whose record goes with the scope. */
const stack = Effect.acquireRelease(
  Effect.sync(() => ({ brand: "esb", environment: DockerWorkers.freshStack() })),
  (identity) => Effect.sync(() => spawnSync("docker", ["volume", "rm", SoleAgent.volumeName(identity)]))
)
type Stack = Effect.Success<typeof stack>

const home = "/home/of/mine"

/** One Agent, until the scope ends. */
const started = (identity: Stack, at = home) =>
  Effect.provide(Layer.build(SoleAgent.layer(identity, at)), DockerWorkers.engine)

const refusal = (identity: Stack) => Effect.map(Effect.flip(Effect.scoped(started(identity))), ({ message }) => message)

const labelOf = (identity: Stack) => {
  const format = `{{index .Labels "com.${identity.brand}.agent"}}`
  return docker("volume", "inspect", "--format", format, SoleAgent.volumeName(identity))
}

/** What an Agent has left that did not get to take it away. */
const leave = (identity: Stack, presence: AgentPresence) => {
  const label = `com.${identity.brand}.agent=${JSON.stringify(presence)}`
  return docker("volume", "create", "--label", label, SoleAgent.volumeName(identity))
}

const isRecorded = (identity: Stack) =>
  Effect.map(
    docker("volume", "ls", "--quiet", "--filter", `name=${SoleAgent.volumeName(identity)}`),
    (found) => found !== ""
  )

describe("an Agent with an engine", { ...needs("docker"), timeout: 30_000 }, () => {
  it.live("is the only one of its stack there while it lives, and leaves no trace of that", () =>
    Effect.gen(function* () {
      const identity = yield* stack
      yield* Effect.gen(function* () {
        yield* started(identity)
        const told = yield* refusal(identity)
        assert.include(told, `ENV is ${identity.environment}`)
        assert.include(told, `on ${hostname()}, whose ESB_HOME is ${home}: stop that one`)
        yield* started(yield* stack)
      }).pipe(Effect.scoped)
      assert.isFalse(yield* isRecorded(identity))
      yield* Effect.scoped(started(identity))
    }).pipe(Effect.scoped)
  )

  it.live("takes the place of one on its machine that has ended without a word, whoever has its port now", () =>
    Effect.gen(function* () {
      const [identity, neighbour] = [yield* stack, yield* stack]
      const left = yield* Effect.andThen(started(identity), labelOf(identity)).pipe(Effect.scoped)
      const presence = JSON.parse(left) as Extract<AgentPresence, { readonly port: number }>
      yield* leave(identity, presence)
      yield* Effect.scoped(started(identity, "/home/of/another"))

      yield* started(neighbour)
      const { port } = JSON.parse(yield* labelOf(neighbour)) as typeof presence
      yield* leave(identity, { ...presence, port })
      yield* Effect.scoped(started(identity, "/home/of/another"))
    }).pipe(Effect.scoped)
  )

  it.live("takes its own place after its machine was started anew", () =>
    Effect.gen(function* () {
      const identity = yield* stack
      yield* leave(identity, { machine: hostname(), home, loopback: "of the run before", port: 9, word: "gone" })
      yield* Effect.scoped(started(identity))
    }).pipe(Effect.scoped)
  )

  it.live("says how to go on where nobody can tell of another one", () =>
    Effect.gen(function* () {
      const identity = yield* stack
      yield* leave(identity, { machine: "far-away", home, loopback: "of far away", port: 9, word: "hello" })
      const told = yield* refusal(identity)
      assert.include(told, `on far-away, whose ESB_HOME is ${home}`)
      const command = `docker volume rm ${SoleAgent.volumeName(identity)}`
      assert.isTrue(told.endsWith(command), told)
      yield* docker("volume", "rm", SoleAgent.volumeName(identity))
      yield* Effect.scoped(started(identity))
    }).pipe(Effect.scoped)
  )

  it.live("believes the engine of one in a container", () =>
    Effect.gen(function* () {
      const identity = yield* stack
      const image = yield* Effect.promise(() => FunctionImage.reference())
      const name = `esb-test-${randomUUID()}`
      const sleeps = ["--entrypoint", "/bin/sleep", image, "60"]
      const container = yield* Effect.acquireRelease(
        docker("run", "--detach", "--network", "none", "--name", name, ...sleeps),
        () => Effect.sync(() => spawnSync("docker", ["rm", "--force", name]))
      )
      yield* leave(identity, { container })
      assert.include(yield* refusal(identity), `in the container ${container.slice(0, 12)}: stop that one`)
      yield* docker("kill", name)
      yield* Effect.scoped(started(identity))

      yield* leave(identity, { container })
      yield* docker("rm", name)
      yield* Effect.scoped(started(identity))
    }).pipe(Effect.scoped)
  )
})
