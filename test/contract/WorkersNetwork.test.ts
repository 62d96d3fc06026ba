import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { WorkersNetwork } from "#layers/docker/WorkersNetwork"
import * as Network from "#layers/docker/WorkersNetwork"
import { docker } from "#test/support/DockerImages"
import * as DockerWorkers from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"

describe("the network of the workers", needs("docker"), () => {
  it.live("tells an Agent on the engine's machine so, while no container is in it yet, and goes with the Agent", () => {
    const name = `esb-${DockerWorkers.freshStack()}`
    const id = docker("network", "ls", "--quiet", "--filter", `name=${name}`)
    return Effect.gen(function* () {
      const found = yield* Effect.gen(function* () {
        const network = yield* WorkersNetwork
        return { network, id: yield* id }
      }).pipe(Effect.provide(Network.layer(name)))
      const { gateway, ...network } = found.network
      assert.deepStrictEqual(network, {
        name,
        bridge: `br-${found.id}`,
        standing: { of: "machine", address: gateway }
      })
      assert.strictEqual(yield* id, "")
    }).pipe(Effect.provide(DockerWorkers.engine))
  })
})
