/** The two requests by which RustFS learns of a key, at a recorder that believes only what is signed as it must be. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { createServer } from "node:http"
import * as SignatureV4 from "#layers/auth/SignatureV4"
import * as RustfsStoreKeys from "#layers/aws/RustfsStoreKeys"
import * as S3BucketStore from "#layers/aws/S3BucketStore"
import { BucketStore } from "#services/BucketStore"
import { StoreKeys } from "#services/StoreKeys"
import { needs } from "#test/support/Engines"
import * as StoreServers from "#test/support/StoreServers"

const root = { accessKeyId: "esb-root", secret: Redacted.make("root-secret-of-the-tests") }
const key = { accessKeyId: "esb/1", secret: Redacted.make("secret of the stack") }

interface Heard {
  readonly target: string
  readonly body: string
}

const recorder = Effect.fnUntraced(function* (answer: (target: string) => number = () => 200) {
  const heard: Array<Heard> = []
  const verify = SignatureV4.verifier([root])
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const { method = "", rawHeaders, url: target = "" } = request
      const body = Buffer.concat(chunks)
      const believed = verify({ method, target, rawHeaders, body }, Date.now())
      if (believed._tag === "Success") heard.push({ target: `${method} ${target}`, body: String(body) })
      response.writeHead(believed._tag === "Success" ? answer(target) : 403).end("said by the recorder")
    })
  })
  const port = yield* StoreServers.listening(server)
  const options = { endpoint: `http://127.0.0.1:${port}`, region: "us-east-1" }
  return { heard, options }
})

const admitAt = (options: Parameters<typeof RustfsStoreKeys.layer>[0]) =>
  Effect.flatMap(StoreKeys, ({ admit }) => admit(key)).pipe(Effect.provide(RustfsStoreKeys.layer(options)))

const asRoot = { accessKeyId: root.accessKeyId, secretAccessKey: root.secret }

describe("StoreKeys (RustFS)", () => {
  it.live("makes the key with its secret, and lets it read and write", () =>
    Effect.gen(function* () {
      const { heard, options } = yield* recorder()
      yield* admitAt({ ...options, ...asRoot })
      assert.deepStrictEqual(heard, [
        {
          target: "PUT /rustfs/admin/v3/add-user?accessKey=esb%2F1",
          body: '{"secretKey":"secret of the stack","status":"enabled"}'
        },
        {
          target:
            "PUT /rustfs/admin/v3/set-user-or-group-policy?policyName=readwrite&userOrGroup=esb%2F1&isGroup=false",
          body: ""
        }
      ])
    })
  )

  it.live("tells a wrong root key from a store that is busy and from one that refuses", () =>
    Effect.gen(function* () {
      const { heard, options } = yield* recorder()
      const wrong = { ...asRoot, secretAccessKey: Redacted.make("another") }
      const denied = yield* Effect.flip(admitAt({ ...options, ...wrong }))
      assert.strictEqual(denied._tag, "StoreDenied")
      assert.include(denied.message, "admit key esb/1")
      assert.notInclude(denied.message, "secret of the stack")
      assert.deepStrictEqual(heard, [])

      const failing = (status: number) =>
        Effect.gen(function* () {
          const store = yield* recorder(() => status)
          return (yield* Effect.flip(admitAt({ ...store.options, ...asRoot })))._tag
        })
      assert.strictEqual(yield* failing(503), "StoreUnavailable")
      assert.strictEqual(yield* failing(409), "StoreRefused")
      assert.strictEqual(yield* failing(404), "KeysNotOffered")
      const nobody = { ...asRoot, endpoint: "http://127.0.0.1:1", region: "us-east-1" }
      assert.strictEqual((yield* Effect.flip(admitAt(nobody)))._tag, "StoreUnavailable")
    })
  )

  it.live(
    "says of another server of S3 that it takes no such keys",
    () =>
      Effect.gen(function* () {
        const options = yield* StoreServers.buckets
        const failure = yield* Effect.flip(admitAt(options))
        assert.strictEqual(failure._tag, "KeysNotOffered")
        const { exists } = yield* Effect.provide(BucketStore, S3BucketStore.layer(options))
        assert.isFalse(yield* exists("rustfs"))
      }),
    needs("minio")
  )
})
