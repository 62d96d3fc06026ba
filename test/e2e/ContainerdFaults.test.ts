/** Strangers lay hands on containers of containerd, and on what looks after them: every call still gets an answer, and a true one. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { Effect, Fiber } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import { taskOf, tasks } from "#test/support/ContainerdSamples"
import * as ContainerdStack from "#test/support/ContainerdStack"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as FunctionImage from "#test/support/FunctionImage"
import * as StrangerFaults from "#test/support/StrangerFaults"
import * as WorkerNetworks from "#test/support/WorkerNetworks"

const ofTheMachine = Effect.gen(function* () {
  const stack = yield* AgentStack.Shared
  const { reference: image } = yield* Effect.promise(() => FunctionImage.archive())
  const agent = yield* stack.agent(yield* ContainerdStack.settings)
  const gatewayOf = (functions: AgentStack.Functions, settings = {}) =>
    stack.gateway([agent.address], {
      functions: Object.fromEntries(Object.entries(functions).map(([name, entry]) => [name, { image, ...entry }])),
      settings
    })
  return { agent, gatewayOf }
})

/** Whoever looks after a process. */
const parentOf = (pid: number): number =>
  Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])

/** Takes the cable out of the worker's network. */
const unplug = (pid: number) =>
  WorkerNetworks.run("nsenter", `--net=/proc/${pid}/ns/net`, "ip", "link", "set", "eth0", "down")

describe(
  "containers of containerd in the hands of strangers",
  { ...needs("containerd", "cni"), timeout: 120_000 },
  () => {
    it.layer(
      AgentStack.layer,
      AgentStack.live
    )((it) => {
      it.effect(
        "that are killed, removed, paused, unplugged or lose their shim cost no call a wrong answer, and are replaced",
        () =>
          Effect.gen(function* () {
            const { ctr } = yield* ContainerdWorkers.Machine
            const { agent, gatewayOf } = yield* ofTheMachine
            const names = Array.from({ length: 8 }, (_, n) => `f${n}`)
            const entry = { handler: "index.echo", timeout: 3 }
            const functions = Object.fromEntries(names.map((name) => [name, entry]))
            // Who is to blame for so many failures is not the question here.
            const gateway = yield* gatewayOf(functions, { CIRCUIT_BREAKER_THRESHOLD: "1000" })
            const present = Effect.map(tasks, (all) => all.map(({ name }) => name))
            const faults = [
              (name: string) => ctr("tasks", "kill", "--signal", "SIGKILL", name),
              (name: string) => ctr("tasks", "delete", "--force", name),
              (name: string) => ctr("tasks", "pause", name),
              (name: string) => Effect.flatMap(taskOf({ name }), ({ pid }) => unplug(pid)),
              (name: string) => Effect.map(taskOf({ name }), ({ pid }) => process.kill(parentOf(pid), "SIGKILL"))
            ]
            const lay = (turn: number, name: string) =>
              // The container may have ended of itself by now.
              Effect.ignoreCause(faults[turn % faults.length]?.(name) ?? Effect.void)
            yield* StrangerFaults.withstand({ agent, gateway, names, present, lay })
            yield* eventually("a container each", present, ({ length }) => length === names.length, 10_000)
          }).pipe(Effect.scoped, Effect.provide(ContainerdWorkers.machine()))
      )

      it.effect(
        "whose shim is killed in the middle of a call have that call answered at once, and are gone soon after",
        () =>
          Effect.gen(function* () {
            const { gatewayOf } = yield* ofTheMachine
            const gateway = yield* gatewayOf({ hang: { handler: "index.hang", timeout: 60 } })
            const call = yield* Effect.forkChild(gateway.call("hang", 1))
            const [task] = yield* eventually("it runs", tasks, ([first]) => first?.state === "RUNNING", 10_000)
            yield* eventually("it is called", gateway.pool("hang"), ({ busy }) => busy === 1, 10_000)
            const killedAt = performance.now()
            process.kill(parentOf(task?.pid ?? 0), "SIGKILL")
            const answer = yield* Fiber.join(call)
            assert.isBelow(performance.now() - killedAt, 3_000)
            assert.strictEqual(answer.status, 200)
            assert.strictEqual(answer.header("x-amz-function-error"), "Unhandled")
            assert.match(answer.text, /"errorType":"Runtime\.ExitError"/)
            yield* eventually("nothing is left", tasks, ({ length }) => length === 0, 10_000)
          }).pipe(Effect.scoped, Effect.provide(ContainerdWorkers.machine()))
      )

      it.effect("that take more memory than they have are told of as AWS does, and replaced", () =>
        Effect.gen(function* () {
          const { gatewayOf } = yield* ofTheMachine
          const gateway = yield* gatewayOf({
            hoard: { handler: "index.hoard", timeout: 20, memory_size: 128 },
            echo: { handler: "index.echo", timeout: 20 }
          })
          for (let time = 0; time < 2; time++) {
            const answer = yield* gateway.call("hoard", { megabytes: 400 })
            assert.strictEqual(answer.status, 200, answer.text)
            assert.strictEqual(answer.header("x-amz-function-error"), "Unhandled")
            const { errorMessage, errorType } = answer.json() as Record<string, string>
            assert.strictEqual(errorType, "Runtime.OutOfMemory")
            assert.match(
              errorMessage ?? "",
              /^RequestId: [0-9a-f-]{36} Error: Runtime exited with error: signal: killed$/
            )
          }
          assert.strictEqual((yield* gateway.call("echo", 1)).text, "1")
        }).pipe(Effect.scoped, Effect.provide(ContainerdWorkers.machine()))
      )
    })
  }
)
