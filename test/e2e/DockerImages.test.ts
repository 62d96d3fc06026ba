/** Images in AWS's layout behind a Gateway and an Agent: AWS's client, AWS's emulator, and a web server with an adapter. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import * as AgentStack from "#test/support/AgentStack"
import * as BaseImages from "#test/support/BaseImages"
import { lastingStack } from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import * as FreePort from "#test/support/FreePort"

const samples = (path: string) => fileURLToPath(new URL(`../samples/images/${path}`, import.meta.url))

const awsNode = BaseImages.image.bind(undefined, "node", { task: samples("node"), handler: "app.handler" })

const adapted = () =>
  BaseImages.image("our node", {
    task: samples("web"),
    handler: "server.mjs",
    more: { "opt/extensions/lambda-adapter": { from: samples("web/adapter") } },
    settings: ['ENTRYPOINT ["/var/lang/bin/node"]']
  })

/** A Gateway and an Agent with these functions. */
const stackOf = Effect.fnUntraced(function* (
  functions: Readonly<Record<string, { readonly image: string }>>,
  settings: Readonly<Record<string, string>> = {}
) {
  const stack = yield* AgentStack.Shared
  const environment = yield* lastingStack("agents")
  const agent = yield* stack.agent({
    ENV: environment,
    AGENT_RUNTIME: "docker",
    CONTAINERS_NETWORK: `esb-${environment}`,
    IMAGE_PULL_POLICY: "never",
    AGENT_DATA_PORT: String(yield* FreePort.find),
    ...settings
  })
  const entries = Object.entries(functions).map(([name, entry]) => [name, { ...entry, timeout: 10 }])
  return yield* stack.gateway([agent.address], { functions: Object.fromEntries(entries) })
})

describe(
  "a function in an image of AWS's layout",
  { ...needs(...BaseImages.peers.node, "rie"), timeout: 120_000 },
  () => {
    it.layer(
      AgentStack.layer,
      AgentStack.live
    )((it) => {
      it.effect("answers by AWS's client as it answers by AWS's emulator", () =>
        Effect.gen(function* () {
          const aws = { image: yield* Effect.promise(() => awsNode()) }
          const direct = yield* stackOf({ aws })
          const emulated = yield* stackOf({ aws }, { AGENT_WORKER_PROTOCOL: "rie" })
          for (const gateway of [direct, emulated]) {
            const answer = yield* gateway.call("aws", { do: "echo", event: { n: 1 } })
            assert.strictEqual(answer.status, 200, `${answer.text} ${gateway.stderr()}`)
            assert.deepStrictEqual(answer.json(), { n: 1 })
            const failed = yield* gateway.call("aws", { do: "fail" })
            assert.strictEqual(failed.header("x-amz-function-error"), "Unhandled")
            assert.deepInclude(failed.json(), { errorType: "TypeError", errorMessage: "boom" })
          }
          const told = yield* direct.call("aws", { do: "tell" })
          const { requestId, runtimeApi } = told.json() as Readonly<Record<string, string>>
          assert.strictEqual(requestId, told.header("x-amzn-requestid"))
          assert.notMatch(runtimeApi ?? "", /^127\./)
        })
      )

      it.effect("is a web server where an adapter in its image is the runtime", () =>
        Effect.gen(function* () {
          const gateway = yield* stackOf({ web: { image: yield* Effect.promise(() => adapted()) } })
          const request = { rawPath: "/orders", requestContext: { http: { method: "PUT" } }, body: "one" }
          const answer = yield* gateway.call("web", request)
          assert.strictEqual(answer.status, 200, `${answer.text} ${gateway.stderr()}`)
          const { body, statusCode } = answer.json() as { readonly statusCode: number; readonly body: string }
          assert.strictEqual(statusCode, 200)
          assert.deepInclude(JSON.parse(body), { method: "PUT", url: "/orders", body: "one" })
        })
      )
    })
  }
)
