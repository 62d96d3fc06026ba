/** Gateway and Agent prove themselves to each other: with certificates that end, that change, that are wrong, and without any. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import type { BareServer } from "#test/support/BareServer"
import * as Cli from "#test/support/Cli"
import { eventually } from "#test/support/Eventually"
import * as HonestError from "#test/support/HonestError"
import * as HttpCaller from "#test/support/HttpCaller"
import * as Load from "#test/support/Load"
import * as Processes from "#test/support/Processes"
import * as ShortLived from "#test/support/ShortLived"
import * as Wire from "#test/support/Wire"

/** How long servers may take to notice that a certificate was replaced. */
const noticedWithinMs = 8_000

const hasLogged = (server: BareServer, words: string, withinMs?: number) =>
  eventually(`the log says: ${words}`, Effect.sync(server.stderr), (log) => log.includes(words), withinMs)

/** A call fails because no worker can be started, and says why. */
const isRefused = Effect.fnUntraced(function* (gateway: AgentStack.Gateway, why: RegExp) {
  const answer = yield* gateway.call("work")
  assert.strictEqual(HonestError.nameOf(answer), "EC2UnexpectedException")
  assert.match(answer.text, why)
})

describe("Certificates", Processes.needsProc, () => {
  it.layer(AgentStack.layer, AgentStack.live)("between Gateway and Agent", (it) => {
    it.effect("that have expired stop a start, and say what to do", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const expired = yield* ShortLived.make(stack.fresh("certs"), ShortLived.over)
        const starts = {
          agent: { ...stack.agentSettings(), ...expired.agent },
          gateway: { ...stack.gatewaySettings(["127.0.0.1:1"]), ...expired.gateway }
        }
        for (const [program, environment] of Object.entries(starts)) {
          const { code, stderr } = yield* Cli.runProgram(program, [], { environment })
          assert.strictEqual(code, 1)
          const last = stderr.trimEnd().split("\n").at(-1)
          assert.match(
            last ?? "",
            /\/(server|client)\.crt has expired on \d{4}-.*esb certs --rotate renews certificates/
          )
          assert.notInclude(stderr, " at ", "no stack trace")
        }
      })
    )

    it.effect(
      "that expire while both run end no connection, let none be made, and are replaced without a restart",
      () =>
        Effect.gen(function* () {
          const stack = yield* AgentStack.Shared
          const validMs = 4_000
          const expiresAtMs = Date.now() + validMs
          const certificates = yield* ShortLived.make(stack.fresh("certs"), ShortLived.forMs(validMs))
          const agent = yield* stack.agent(certificates.agent)
          const wire = yield* Wire.make(Number(new URL(agent.url).port))
          const gateway = yield* stack.gateway([wire.address], { settings: certificates.gateway })
          yield* gateway.work("work")
          assert.isBelow(Date.now(), expiresAtMs, "the machine is too slow for this test")
          yield* Effect.sleep(expiresAtMs - Date.now() + 200)
          yield* gateway.work("work")
          assert.strictEqual((yield* gateway.page("/metrics/containers")).status, 200)

          wire.cut()
          wire.mend()
          yield* hasLogged(gateway, "certificate has expired")
          assert.strictEqual((yield* gateway.page("/metrics/containers")).status, 503)
          yield* certificates.issue("agent", ShortLived.longEnough)
          yield* hasLogged(agent, "Refused a connection", noticedWithinMs)
          yield* hasLogged(agent, "its certificate has expired")
          yield* certificates.issue("gateway", ShortLived.longEnough)
          const page = Effect.map(gateway.page("/metrics/containers"), ({ status }) => status)
          yield* eventually("the Agent is reached again", page, (status) => status === 200, noticedWithinMs)
          assert.deepInclude(yield* gateway.work("work"), { calls: 3 })
        }),
      60_000
    )

    it.effect("of another authority are believed by neither", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const others = yield* ShortLived.make(stack.fresh("certs"), ShortLived.longEnough)
        const agent = yield* stack.agent()
        const gateway = yield* stack.gateway([agent.address], { settings: others.gateway })
        yield* isRefused(gateway, /Agent 127\.0\.0\.1:\d+ cannot be reached: .*certificate/)
        assert.strictEqual(yield* gateway.stop, 0)

        const ownAuthority = stack.gatewaySettings([])["AGENT_GRPC_TLS_CA_CERT_PATH"] ?? ""
        const theirWord = { ...others.gateway, AGENT_GRPC_TLS_CA_CERT_PATH: ownAuthority }
        const { code, stderr } = yield* Cli.runProgram("gateway", [], {
          environment: { ...stack.gatewaySettings([agent.address]), ...theirWord }
        })
        assert.strictEqual(code, 1)
        assert.match(stderr, /client\.crt is not signed by the authority in .*rootCA\.crt\. esb certs makes/)
        assert.deepStrictEqual(AgentStack.workersIn(agent.home), [])
      })
    )

    it.effect(
      "are rotated under load without a failed call and without a restart",
      () =>
        Effect.gen(function* () {
          const stack = yield* AgentStack.Shared
          const agent = yield* stack.agent()
          const gateway = yield* stack.gateway([agent.address])
          const pids = [agent.pid(), gateway.pid()]
          const load = yield* Load.start((question) => HttpCaller.ask(gateway.url, question), "work", 4)
          yield* eventually("calls are answered", Effect.sync(load.right), (right) => right > 20)
          yield* AgentStack.certs(stack.certificates, "--rotate")
          yield* hasLogged(agent, "New certificate from", noticedWithinMs)
          yield* hasLogged(gateway, "New certificate from", noticedWithinMs)
          const before = load.right()
          yield* eventually("calls go on", Effect.sync(load.right), (right) => right > before + 50)
          yield* load.stop
          assert.deepStrictEqual({ errors: load.errors(), broken: load.broken() }, { errors: {}, broken: [] })
          assert.deepStrictEqual([agent.pid(), gateway.pid()], pids)
          assert.notInclude(gateway.stderr(), "cannot be reached")
        }),
      60_000
    )
  })

  it.layer(AgentStack.layer, AgentStack.live)("are not wanted", (it) => {
    const off = { AGENT_GRPC_TLS_DISABLED: "1" }

    it.effect("where both sides say so, each with a warning", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const agent = yield* stack.agent({ ...off, AGENT_GRPC_CERT_PATH: "/nowhere" })
        assert.isTrue(agent.url.startsWith("http://"))
        const settings = { ...off, AGENT_GRPC_TLS_CERT_PATH: "/nowhere" }
        const gateway = yield* stack.gateway([agent.address], { settings })
        yield* gateway.work("work")
        for (const server of [agent, gateway]) {
          assert.match(server.stderr(), /WARN.*AGENT_GRPC_TLS_DISABLED: .* neither encrypted nor checked/)
        }
      })
    )

    it.effect("by one side only: then nobody is called, and both say why", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const agent = yield* stack.agent()
        const plain = yield* stack.gateway([agent.address], { settings: off })
        yield* isRefused(plain, /one side wants TLS/)
        yield* hasLogged(agent, "Refused a connection from 127.0.0.1")
        yield* hasLogged(agent, "it does not speak TLS")

        const open = yield* stack.agent(off)
        const careful = yield* stack.gateway([open.address])
        yield* isRefused(careful, /cannot be reached: /)
      })
    )
  })
})
