import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { Effect } from "effect"
import { selectorLabels } from "#domain/StackIdentity"
import { WorkersNetwork } from "#layers/docker/WorkersNetwork"
import * as Network from "#layers/docker/WorkersNetwork"
import { docker } from "#test/support/DockerImages"
import * as DockerWorkers from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import * as FreeNetwork from "#test/support/FreeNetwork"

/** A network's name that no other run has, and the stack it would be of. */
const place = Effect.acquireRelease(
  Effect.sync(() => {
    const environment = DockerWorkers.freshStack()
    return { name: `esb-${environment}`, identity: { brand: "esb", environment } }
  }),
  ({ name }) => Effect.sync(() => spawnSync("docker", ["network", "rm", name]))
)

const idOf = (name: string) => docker("network", "ls", "--quiet", "--filter", `name=${name}`)

/** What an Agent does with it, from its start to its end. */
const oneRun = ({ identity, name }: Effect.Success<typeof place>) =>
  Effect.gen(function* () {
    const network = yield* WorkersNetwork
    return { network, id: yield* idOf(name) }
  }).pipe(Effect.provide(Network.layer(name, identity)))

describe("the network of the workers", needs("docker"), () => {
  it.live("tells an Agent on the engine's machine so, while no container is in it yet, and goes with the Agent", () =>
    Effect.gen(function* () {
      const { identity, name } = yield* place
      const found = yield* oneRun({ identity, name })
      const { gateway, ...network } = found.network
      assert.deepStrictEqual(network, {
        name,
        bridge: `br-${found.id}`,
        standing: { of: "machine", address: gateway }
      })
      assert.strictEqual(yield* idOf(name), "")
    }).pipe(Effect.scoped, Effect.provide(DockerWorkers.engine))
  )

  it.live("has the engine at its first address where it was made with a subnet and nothing else", () =>
    Effect.gen(function* () {
      const { identity, name } = yield* place
      const addresses = `${yield* FreeNetwork.find}.0`
      yield* docker("network", "create", "--subnet", `${addresses}.16/28`, name)
      const { network } = yield* oneRun({ identity, name })
      // Only who has the address can listen at it.
      assert.deepStrictEqual(network.standing, { of: "machine", address: `${addresses}.17` })
      assert.strictEqual(network.gateway, `${addresses}.17`)
    }).pipe(Effect.scoped, Effect.provide(DockerWorkers.engine))
  )

  it.live("goes with a later Agent of the stack, when the one that made it could not take it away", () =>
    Effect.gen(function* () {
      const { identity, name } = yield* place
      const labels = Object.entries(selectorLabels(identity)).flatMap(([label, value]) => [
        "--label",
        `${label}=${value}`
      ])
      yield* docker("network", "create", ...labels, name)
      yield* oneRun({ identity, name })
      assert.strictEqual(yield* idOf(name), "")
    }).pipe(Effect.scoped, Effect.provide(DockerWorkers.engine))
  )

  it.live("stays where somebody else has made it, another stack included", () =>
    Effect.gen(function* () {
      const { identity, name } = yield* place
      yield* docker("network", "create", "--label", `created_by=${identity.brand}-agent`, name)
      const { id } = yield* oneRun({ identity, name })
      assert.strictEqual(yield* idOf(name), id)
    }).pipe(Effect.scoped, Effect.provide(DockerWorkers.engine))
  )
})
