/** What a Docker Engine is asked of the extensions in an image. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import { fileURLToPath } from "node:url"
import { DockerApi } from "#layers/docker/DockerApi"
import * as ImageExtensions from "#layers/docker/ImageExtensions"
import * as BaseImages from "#test/support/BaseImages"
import { engine as theEngine, freshStack } from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import * as ImageTree from "#test/support/ImageTree"

const samples = (path: string) => fileURLToPath(new URL(`../samples/${path}`, import.meta.url))

/** An image of a function with these files in `/opt/extensions`. */
const imageWith = Effect.fnUntraced(function* (files: ImageTree.Tree) {
  const { call, engine } = yield* DockerApi
  const more = Object.fromEntries(Object.entries(files).map(([path, entry]) => [`opt/extensions/${path}`, entry]))
  const reference = yield* Effect.promise(() =>
    BaseImages.image("our node", { task: samples("images/node"), handler: "app.handler", more })
  )
  const { Id } = yield* call(() => engine.getImage(reference).inspect())
  return { reference, digest: Id, entrypoint: [], user: "" }
})

const agent = { agent: { from: samples("workers/layer/extensions/agent") } }

const identity = { brand: "esb", environment: freshStack() }

const nameOf = (): string => `esb-${identity.environment}-extended-${randomBytes(4).toString("hex")}`

const containers = Effect.gen(function* () {
  const { call, engine } = yield* DockerApi
  return (yield* call(() =>
    engine.listContainers({ all: true, filters: { label: [`esb_env=${identity.environment}`] } })
  )).length
})

describe("the extensions of an image", { ...needs(...BaseImages.peers["our node"]), timeout: 60_000 }, () => {
  it.live("are the programs in its directory, looked up once, and nothing is left of the look", () =>
    Effect.gen(function* () {
      const image = yield* imageWith({
        ...agent,
        "a-script": ImageTree.script("#!/bin/sh\n"),
        linked: { link: "../lib/agent" },
        "notes.txt": { text: "no program" },
        "lib/inner": ImageTree.script("#!/bin/sh\n")
      })
      const api = yield* DockerApi
      let calls = 0
      const counted = DockerApi.of({
        ...api,
        call: (request, options) => {
          calls += 1
          return api.call(request, options)
        }
      })
      const namesOf = yield* Effect.provideService(ImageExtensions.make({ identity }), DockerApi, counted)
      const all = yield* Effect.forEach([1, 2, 3], () => namesOf(image, nameOf()), { concurrency: "unbounded" })
      for (const names of all) assert.deepStrictEqual(names, ["a-script", "agent", "linked"])
      // To make, to read and to remove.
      assert.strictEqual(calls, 3)
      assert.strictEqual(yield* containers, 0)
    }).pipe(Effect.provide(theEngine))
  )

  it.live("are none where there is no such directory", () =>
    Effect.gen(function* () {
      const namesOf = yield* ImageExtensions.make({ identity })
      const { digest, ...image } = yield* imageWith({})
      assert.deepStrictEqual(yield* namesOf({ ...image, digest }, nameOf()), [])
      const failure = yield* Effect.flip(namesOf({ ...image, digest: `sha256:${"0".repeat(64)}` }, nameOf()))
      assert.strictEqual(failure.status, 404)
      assert.strictEqual(yield* containers, 0)
    }).pipe(Effect.provide(theEngine))
  )
})
