/** Several Gateways on one Agent, and several Agents under one Gateway. */
import { credentials, status } from "@grpc/grpc-js"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { request } from "node:https"
import { join } from "node:path"
import * as AgentStack from "#test/support/AgentStack"
import { eventually } from "#test/support/Eventually"
import * as ForeignAgentClient from "#test/support/ForeignAgentClient"
import * as HonestError from "#test/support/HonestError"
import * as Load from "#test/support/Load"
import * as Processes from "#test/support/Processes"

/** A client in another program, with the certificate of a Gateway: what it says of its owner is its own word. */
const foreignClient = (stack: AgentStack.AgentStack, agent: AgentStack.Agent) => {
  const file = (name: string) => readFileSync(join(stack.certificates, name))
  const definition = ForeignAgentClient.servicesOf("agent.proto")
  const service = ForeignAgentClient.clientClass(definition, "esb.agent.v1.AgentService")
  return ForeignAgentClient.connect(service, Number(new URL(agent.url).port), {
    credentials: credentials.createSsl(file("rootCA.crt"), file("client.key"), file("client.crt")),
    channel: { "grpc.ssl_target_name_override": "localhost" }
  })
}

/** The status with which the data door answers a call of this worker for some owner. */
const callAtTheDoor = (stack: AgentStack.AgentStack, worker: ForeignAgentClient.Message, owner: string) =>
  Effect.callback<number | undefined, Error>((resume) => {
    const file = (name: string) => readFileSync(join(stack.certificates, name))
    const sent = request(
      {
        host: String(worker["ip_address"]),
        servername: "localhost",
        port: Number(worker["port"]),
        method: "POST",
        path: `/workers/${String(worker["container_id"])}/invocations`,
        headers: { "esb-owner": owner, "content-type": "application/json" },
        ca: file("rootCA.crt"),
        cert: file("client.crt"),
        key: file("client.key")
      },
      (answer) => {
        answer.resume()
        resume(Effect.succeed(answer.statusCode))
      }
    )
    sent.on("error", (error) => resume(Effect.fail(error)))
    sent.end("{}")
    return Effect.sync(() => sent.destroy())
  })

/** The workers of a Gateway as it lists them. */
const listOf = (gateway: AgentStack.Gateway) =>
  Effect.map(
    gateway.page("/_esb/workers"),
    (answer) =>
      (answer.json() as { readonly workers: ReadonlyArray<{ readonly id: string; readonly owner: string }> }).workers
  )

const logOf = (gateway: AgentStack.Gateway) => Effect.map(gateway.page("/_esb/logs?limit=10000"), ({ text }) => text)

describe("Several", Processes.needsProc, () => {
  it.layer(AgentStack.layer, AgentStack.live)("Gateways on one Agent", (it) => {
    it.effect("have each their own workers and their own log", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const agent = yield* stack.agent()
        const [mine, theirs] = yield* Effect.all([stack.gateway([agent.address]), stack.gateway([agent.address])], {
          concurrency: 2
        })
        const [first, second] = [yield* mine.work("work", { id: "mine" }), yield* theirs.work("work", { id: "theirs" })]
        assert.notStrictEqual(first.pid, second.pid)
        for (const gateway of [mine, theirs]) {
          const listed = yield* listOf(gateway)
          assert.deepStrictEqual(
            listed.map(({ owner }) => owner),
            [gateway.owner]
          )
        }
        const written = (gateway: AgentStack.Gateway, word: string) =>
          eventually("what the function wrote is in the log", logOf(gateway), (log) => log.includes(`works on ${word}`))
        assert.notInclude(yield* written(mine, "mine"), "theirs")
        assert.notInclude(yield* written(theirs, "theirs"), "works on mine")
      })
    )

    it.effect("do nothing to each other's workers, whether they stop, sweep or start", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const agent = yield* stack.agent()
        const settings = { HEARTBEAT_INTERVAL: "0.2", ORPHAN_GRACE_PERIOD_SECONDS: "0" }
        const mine = yield* stack.gateway([agent.address], { settings })
        const theirs = yield* stack.gateway([agent.address], { settings })
        const { pid } = yield* theirs.work("work")
        yield* mine.work("work")
        yield* Effect.sleep("700 millis")
        yield* mine.kill
        yield* mine.start()
        yield* mine.work("work")
        assert.strictEqual(yield* mine.stop, 0)
        assert.deepInclude(yield* theirs.work("work"), { pid, calls: 2 })
      })
    )

    it.effect("are refused whatever they say of a worker of another, by gRPC and by the data door", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const agent = yield* stack.agent()
        const gateway = yield* stack.gateway([agent.address])
        const { pid } = yield* gateway.work("work")
        const client = yield* foreignClient(stack, agent)
        const listed = (owner: string) =>
          Effect.map(ForeignAgentClient.call(client, "ListContainers", { owner_id: owner }), ({ containers }) => [
            ...(containers as ReadonlyArray<ForeignAgentClient.Message>)
          ])
        assert.deepStrictEqual(yield* listed("gateway-of-somebody-else"), [])
        const [worker] = yield* listed(gateway.owner)
        assert.isDefined(worker)

        const denied = { code: status.PERMISSION_DENIED, details: "owner_id does not match container" }
        const named = { container_id: worker?.["container_id"], owner_id: "gateway-of-somebody-else" }
        for (const method of ForeignAgentClient.ofAWorker) {
          assert.deepStrictEqual(yield* ForeignAgentClient.refusal(client, method, named), denied, method)
        }
        const atTheDoor = yield* callAtTheDoor(stack, worker ?? {}, "gateway-of-somebody-else")
        assert.strictEqual(atTheDoor, 403)
        assert.deepInclude(yield* gateway.work("work"), { pid, calls: 2 })
      })
    )
  })

  it.layer(AgentStack.layer, AgentStack.live)("Agents under one Gateway", (it) => {
    it.effect("get the same number of workers", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const agents = yield* Effect.all([stack.agent(), stack.agent()], { concurrency: 2 })
        const functions = { work: { scaling: { max_capacity: 6 } } }
        const gateway = yield* stack.gateway(
          agents.map(({ address }) => address),
          { functions }
        )
        const calls = Array.from({ length: 6 }, (_, id) => gateway.work("work", { id, ms: 500 }))
        const workers = yield* Effect.all(calls, { concurrency: "unbounded" })
        assert.strictEqual(new Set(workers.map(({ pid }) => pid)).size, 6)
        assert.deepStrictEqual(
          agents.map(({ home }) => AgentStack.workersIn(home).length),
          [3, 3]
        )
      })
    )

    it.effect("stand in for one that is killed, which is used again when it is back", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const [first, second] = yield* Effect.all([stack.agent(), stack.agent()], { concurrency: 2 })
        const addresses = [first.address, second.address]
        const gateway = yield* stack.gateway(addresses, { functions: { work: { scaling: { max_capacity: 6 } } } })
        const atOnce = (count: number) =>
          Effect.all(
            Array.from({ length: count }, (_, id) => gateway.call("work", { id: String(id), ms: 300 })),
            { concurrency: "unbounded" }
          )
        yield* atOnce(6)
        const survivors = AgentStack.workersIn(second.home)
        assert.strictEqual(survivors.length, 3)

        yield* first.kill
        // Whoever meets the dead Agent first may be told so; it is not met again.
        for (const answer of yield* atOnce(6)) HonestError.nameOf(answer)
        for (const [id, answer] of (yield* atOnce(6)).entries()) {
          assert.isUndefined(HonestError.nameOf(answer))
          Load.isTheAnswerTo(String(id), answer)
        }
        const now = AgentStack.workersIn(second.home)
        assert.strictEqual(now.length, 6)
        assert.includeMembers([...now], [...survivors])

        yield* first.start()
        yield* gateway.deploy({ work: { scaling: { max_capacity: 12 } } })
        const log = Effect.sync(() => gateway.stderr())
        yield* eventually("it is heard of", log, (text) => text.includes(`Agent ${first.address} answers again`))
        const workers = Effect.andThen(
          atOnce(12),
          Effect.sync(() => AgentStack.workersIn(first.home).length)
        )
        yield* eventually("it has workers again", workers, (count) => count === 6)
        assert.deepStrictEqual(AgentStack.workersIn(second.home), now)
      })
    )
  })
})
