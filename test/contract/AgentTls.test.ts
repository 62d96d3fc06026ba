/** An Agent over TLS, as a client meets it that has its certificates in files, and one that has none. */
import { assert, it } from "@effect/vitest"
import { credentials, status } from "@grpc/grpc-js"
import { Effect, Redacted } from "effect"
import { AgentServer } from "#layers/grpc/server/AgentServer"
import { Certificates } from "#services/Certificates"
import * as Certified from "#test/support/Certified"
import * as Foreign from "#test/support/ForeignAgentClient"
import { Agents } from "#test/support/ForeignAgentCalls"
import * as MemoryAgent from "#test/support/MemoryAgent"

const event = Buffer.from('{"n":1}')

/** An Agent with certificates, and what a Gateway of the same authority shows. */
const certified = Effect.gen(function* () {
  const { agent, gateway } = yield* Certified.make
  const bundle = (yield* Effect.provide(Certificates, gateway.layer)).current()
  assert.isDefined(bundle)
  const functions = { echo: { handler: (value: unknown) => value } }
  const { layer, lines } = MemoryAgent.make({ functions, certificates: agent.layer })
  return { layer, lines, bundle }
})

it.live("a foreign client with a Gateway's certificate is served, and told the name by which it came", () =>
  Effect.gen(function* () {
    const { bundle, layer } = yield* certified
    yield* Effect.gen(function* () {
      const { port } = yield* AgentServer
      const { authority, certificate, key } = bundle
      const shown = credentials.createSsl(
        Buffer.from(authority),
        Buffer.from(Redacted.value(key)),
        Buffer.from(certificate)
      )
      const channel = { "grpc.default_authority": "agent:50051", "grpc.ssl_target_name_override": "agent" }
      const client = yield* Foreign.connect(Agents, port, { credentials: shown, channel })
      const start = { function_name: "echo", owner_id: "mine", image: "i" }
      const info = yield* Foreign.call(client, "EnsureContainer", start)
      assert.deepInclude(info, { ip_address: "agent", port: MemoryAgent.dataPort })
      const request = { container_id: info["id"], owner_id: "mine", payload: event }
      const { body } = yield* Foreign.call(client, "InvokeWorker", request)
      assert.strictEqual(Buffer.from(body as Uint8Array).toString(), '{"n":1}')
    }).pipe(Effect.provide(layer))
  })
)

it.live("a client without one is refused before any call", () =>
  Effect.gen(function* () {
    const { bundle, layer, lines } = yield* certified
    yield* Effect.gen(function* () {
      const { port } = yield* AgentServer
      for (const shown of [credentials.createInsecure(), credentials.createSsl(Buffer.from(bundle.authority))]) {
        const client = yield* Foreign.connect(Agents, port, { credentials: shown })
        const deadline = Date.now() + 2_000
        const { code } = yield* Foreign.refusal(client, "ListContainers", { owner_id: "mine" }, { deadline })
        assert.strictEqual(code, status.UNAVAILABLE)
      }
      assert.deepStrictEqual(
        lines.filter(({ message }) => message === "call ended"),
        []
      )
    }).pipe(Effect.provide(layer))
  })
)
