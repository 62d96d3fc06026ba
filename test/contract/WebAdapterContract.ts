/** Web servers behind the Lambda Web Adapter: an extension in the image that nobody but us starts, and no runtime client. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import { WorkerClient } from "#services/WorkerClient"
import * as BaseImages from "#test/support/BaseImages"
import { type ContainerEngine, EngineMachine } from "#test/support/ContainerEngines"
import { type EngineName, needs, pathOf } from "#test/support/Engines"
import * as ImageTree from "#test/support/ImageTree"
import { made } from "#test/support/LentWorkers"
import { specOf } from "#test/support/WorkerFunctions"
import { call } from "./ContainerRuntimeContract.ts"

const sample = (path: string) => fileURLToPath(new URL(`../samples/images/web/${path}`, import.meta.url))

/** A web server as the command, and an adapter where AWS looks for extensions. */
const imageWith = (adapter: string, more: ImageTree.Tree = {}) =>
  Effect.promise(() =>
    BaseImages.image("our node", {
      task: sample(""),
      handler: "server.mjs",
      more: { "opt/extensions/lambda-adapter": { from: adapter }, ...more },
      settings: ["ENV AWS_LWA_PORT=8080", 'ENTRYPOINT ["/var/lang/bin/node"]']
    })
  )

/** A call of a function URL. */
const request = (method: string, path: string, body: string) => ({
  version: "2.0",
  routeKey: "$default",
  rawPath: path,
  rawQueryString: "",
  headers: { "content-type": "text/plain" },
  requestContext: {
    accountId: "anonymous",
    apiId: "web",
    domainName: "web.example",
    domainPrefix: "web",
    http: { method, path, protocol: "HTTP/1.1", sourceIp: "192.0.2.1", userAgent: "test" },
    requestId: "r",
    routeKey: "$default",
    stage: "$default",
    time: "22/Nov/2026:00:00:00 +0000",
    timeEpoch: 1_795_305_600_000
  },
  body,
  isBase64Encoded: false
})

const adapters: ReadonlyArray<
  readonly [name: string, needed: ReadonlyArray<EngineName>, image: () => Effect.Effect<string>]
> = [
  ["a stand-in of ours", [], () => imageWith(sample("adapter"))],
  ["AWS's own", ["lwa"], () => imageWith(pathOf("lwa"), ImageTree.librariesOf(pathOf("lwa")))]
]

export const suite = <M>({ machine, name: engine, needs: ofEngine, run }: ContainerEngine<M>) => {
  for (const [name, needed, image] of adapters) {
    describe(
      `a web server on 8080 behind a Lambda Web Adapter (${name}) on ${engine}`,
      { ...needs("docker", ...ofEngine, ...needed), timeout: 60_000 },
      () => {
        it.layer(machine, { timeout: "60 seconds", excludeTestServices: true })((it) => {
          it.effect("is not taken for an emulator, and answers", () =>
            Effect.gen(function* () {
              const client = yield* WorkerClient
              const { take } = yield* EngineMachine
              const spec = specOf(yield* take(yield* image()), "")
              const worker = yield* made(spec)
              assert.strictEqual(worker.protocol, "runtime-api")
              assert.notStrictEqual(worker.address.port, 8_080)
              yield* client.ready(worker)
              for (const [method, path, body] of [
                ["POST", "/orders/7", "first"],
                ["PUT", "/orders/8", "second"]
              ] as const) {
                const invocation = call(worker, request(method, path, body))
                const { errorType, payload } = yield* client.send(worker, invocation)
                assert.isUndefined(errorType)
                const answer = JSON.parse(Buffer.from(payload).toString())
                assert.strictEqual(answer.statusCode, 200)
                assert.deepInclude(JSON.parse(answer.body), { method, url: path, body, id: invocation.requestId })
              }
            }).pipe(Effect.scoped, Effect.provide(run()))
          )
        })
      }
    )
  }
}
