/** A program with networks of workers, made to be killed. Takes its settings; writes the name of the one it took. */
import { writeSync } from "node:fs"
import { Effect } from "effect"
import * as CniPlugins from "#layers/cni/CniPlugins"
import type { CniSettings } from "#layers/cni/CniSettings"
import { Cni } from "#services/Cni"

const [settings = "{}"] = process.argv.slice(2)

const takeAndStay = Effect.gen(function* () {
  const cni = yield* Cni
  const { name } = yield* cni.take
  yield* Effect.sync(() => writeSync(1, `${name}\n`))
  return yield* Effect.never
})

// Written by the test, field by field as the settings are.
const told = JSON.parse(settings) as CniSettings
await Effect.runPromise(Effect.provide(takeAndStay, CniPlugins.layer(told)))
