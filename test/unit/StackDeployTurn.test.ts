import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Scope } from "effect"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as DeployTurn from "#programs/esb/DeployTurn"

const newHome = () => mkdtempSync(join(tmpdir(), "esb-DeployTurn-"))

const patience = { waitsAtMost: Duration.seconds(10), lookEvery: Duration.millis(10) }

describe("the turn of a deploy", () => {
  it.live("comes when the deploy before it has ended, and says what it waits for", () =>
    Effect.gen(function* () {
      const home = newHome()
      const told: Array<string> = []
      const note = (line: string): void => void told.push(line)
      const first = yield* Scope.make()
      yield* DeployTurn.take(home, note, patience).pipe(Scope.provide(first))
      assert.deepStrictEqual(told, [])

      const second = yield* Effect.forkChild(Effect.scoped(DeployTurn.take(home, note, patience)))
      yield* Effect.sleep("100 millis")
      assert.isUndefined(second.pollUnsafe())
      assert.deepStrictEqual(told, [`another deploy to ${home} is under way: waiting for its end`])
      yield* Scope.close(first, Exit.void)
      yield* Fiber.join(second)
      yield* Effect.scoped(DeployTurn.take(home, note, patience))
      assert.lengthOf(told, 1)
    })
  )

  it.live("is refused when another takes too long, or when no turn can be had at all", () =>
    Effect.gen(function* () {
      const home = newHome()
      const silent = () => undefined
      yield* DeployTurn.take(home, silent)
      const short = { waitsAtMost: Duration.millis(50), lookEvery: Duration.millis(10) }
      const late = yield* Effect.flip(Effect.scoped(DeployTurn.take(home, silent, short)))
      assert.include(late.message, `No deploy to ${home}: another has not ended after 50ms`)

      const nowhere = join(home, "missing")
      const { message } = yield* Effect.flip(Effect.scoped(DeployTurn.take(nowhere, silent, patience)))
      assert.include(message, "its lock cannot be had")
    }).pipe(Effect.scoped)
  )
})
