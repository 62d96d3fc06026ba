import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Exit, Schema } from "effect"
import * as Program from "#programs/Program"
import * as Setting from "#programs/Setting"

class Trouble extends Schema.TaggedError<Trouble>()("Trouble", { message: Schema.String }) {}

const settings = { port: Setting.Port("PORT", "TCP port", 8080) }

/** Runs a program that notes its port and then ends as it is told to. */
const run = Effect.fnUntraced(function* (
  args: ReadonlyArray<string>,
  end: Effect.Effect<void, Trouble> = Effect.void,
  env: Record<string, string> = {}
) {
  const ports: Array<number> = []
  const program = {
    name: "demo",
    about: "Shows.",
    settings,
    main: ({ port }: { readonly port: number }) =>
      Effect.andThen(
        Effect.sync(() => ports.push(port)),
        end
      )
  }
  const exit = yield* Effect.exit(Program.run(program, args)).pipe(
    Effect.provide([NodeServices.layer, ConfigProvider.layer(ConfigProvider.fromEnv({ env }))] as const)
  )
  return { exit, ports, code: Program.exitCode(exit) }
})

describe("Program", () => {
  it.effect("hands the values of its settings to its main act and ends with 0", () =>
    Effect.gen(function* () {
      const { code, ports } = yield* run(["--port", "1"], Effect.void, { PORT: "2" })
      assert.deepStrictEqual([code, ports], [0, [1]])
    })
  )

  it.effect("does not begin with a bad setting, and ends with 2", () =>
    Effect.gen(function* () {
      const { code, exit, ports } = yield* run([], Effect.void, { PORT: "many" })
      assert.deepStrictEqual([code, ports], [2, []])
      const failure = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(failure, Program.BadSettings)
      assert.strictEqual(failure.message, 'PORT (--port) is "many": expected a port, 0 to 65535\nTry demo --help.')
    })
  )

  it.effect("ends with 1 when its main act fails, and with 0 when it is stopped", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* run([], Effect.fail(new Trouble({ message: "no" })))).code, 1)
      assert.strictEqual((yield* run([], Effect.interrupt)).code, 0)
    })
  )

  it("tells an expected failure in its own words, or in those of its cause, and a bug with its stack", () => {
    const cause = new Error("", { cause: new Error("listen EADDRINUSE") })
    assert.strictEqual(Program.messageOf(Cause.fail(new Trouble({ message: "no luck" }))), "no luck")
    assert.strictEqual(Program.messageOf(Cause.fail(cause)), "listen EADDRINUSE")
    assert.match(Program.messageOf(Cause.die(new Error("a bug"))), /a bug\n +at /)
  })
})
