import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { emulatorPort } from "#domain/ProtocolChoice"
import * as RieWorkerClient from "#layers/rie/RieWorkerClient"
import { WorkerClient } from "#services/WorkerClient"
import { emulatorNames, needsEmulator, nextHost } from "#test/support/Emulators"
import { call, suite, workerAt } from "./RieWorkerClientContract.ts"

for (const name of emulatorNames) suite(name)

it.live(
  "forgets the worker that was looked at longest ago when it knows too many",
  () =>
    Effect.gen(function* () {
      const client = yield* WorkerClient
      const [one, two, three] = [1, 2, 3].map(() => workerAt({ host: nextHost(), port: emulatorPort }))
      assert(one !== undefined && two !== undefined && three !== undefined)
      for (const worker of [one, two, one, three]) {
        assert.strictEqual((yield* Effect.flip(client.send(worker, call({}))))._tag, "WorkerUnreachable")
        assert.isFalse(client.isAlive(worker))
      }
      assert.deepStrictEqual(
        [one, two, three].map((worker) => client.isAlive(worker)),
        [false, true, false]
      )
    }).pipe(Effect.provide(RieWorkerClient.layer({ rememberedWorkers: 2 }))),
  needsEmulator("stand-in")
)
