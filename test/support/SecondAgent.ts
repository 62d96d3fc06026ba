/** An Agent of a stack that has one already, at the engine of both. */
import { spawnSync } from "node:child_process"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import * as AgentStack from "./AgentStack.ts"
import type { Environment } from "./BareServer.ts"
import { programAt } from "./Cli.ts"

export interface World<E, R> {
  readonly environment: string
  /** Of the first Agent, and of the second. */
  readonly settings: Environment
  readonly first: AgentStack.Agent
  readonly gateway: AgentStack.Gateway
  /** Of a function with one worker. */
  readonly call: Effect.Effect<unknown, E, R>
  /** Containers of the stack, and what can be seen of each from outside. */
  readonly containers: Effect.Effect<ReadonlyArray<string>, E, R>
}

/** It is refused while the first lives, and takes over what that leaves. */
export const inherit = Effect.fnUntraced(function* <E, R>(world: World<E, R>) {
  const { call, containers, environment, first, gateway, settings } = world
  const stack = yield* AgentStack.Shared
  yield* call
  const before = yield* containers
  assert.strictEqual(before.length, 1)

  const env = { PATH: process.env["PATH"] ?? "", ...stack.agentSettings(), ...settings }
  const { status, stderr } = spawnSync(process.execPath, [programAt("agent")], { env, encoding: "utf8" })
  assert.strictEqual(status, 1)
  assert.include(stderr, `One Agent is enough for a stack (ENV is ${environment})`)
  assert.include(stderr, `ESB_HOME is ${first.home}: stop that one`)
  assert.deepStrictEqual(yield* containers, before)
  yield* call

  yield* gateway.stop
  yield* first.kill
  const second = yield* stack.agent(settings)
  assert.include(second.stderr(), "Of 1 workers of an earlier run 1 are taken over")
  assert.deepStrictEqual(yield* containers, before)
})
