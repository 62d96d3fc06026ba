/**
 * Keys of RustFS, by the part of its API that is not S3's: requests of its root, signed as those of S3 are.
 * @see https://github.com/rustfs/rustfs/tree/main/rustfs/src/admin/handlers
 */
import { S3Client } from "@aws-sdk/client-s3"
import { Duration, Effect, Layer, Redacted } from "effect"
import { request } from "undici"
import { StoreDenied, StoreRefused, StoreUnavailable } from "#domain/StoreFailure"
import { KeysNotOffered, type StoreKey, StoreKeys } from "#services/StoreKeys"
import * as AwsClient from "./AwsClient.ts"

/** RustFS has it from the start: everything that concerns objects and buckets, and nothing of its administration. */
const policyName = "readwrite"

const prefix = "/rustfs/admin/v3"
const defaultTimeout = Duration.seconds(10)

/** How much is kept of what a store says about a failure. */
const keptCharacters = 300

interface Question {
  /** For the reader of a failure: `admit key esb`. */
  readonly operation: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly body: string
}

/** Another server of S3 takes the path for an object in a bucket that it does not have, or knows no such request. */
const unknownThere: ReadonlySet<number> = new Set([400, 404, 405, 501])

const wordsOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const failureOf = (endpoint: string, { operation }: Question, status: number, said: string) => {
  const detail = said.slice(0, keptCharacters).trim() || "it says no more"
  const reason = `HTTP ${status}`
  if (status === 429 || (status >= 500 && status !== 501)) {
    return new StoreUnavailable({ endpoint, detail: `${reason}: ${detail}` })
  }
  if (status === 401 || status === 403) return new StoreDenied({ endpoint, operation, reason, detail })
  return unknownThere.has(status)
    ? new KeysNotOffered({ endpoint, detail: `${reason}: ${detail}` })
    : new StoreRefused({ endpoint, operation, reason, detail })
}

export const layer = (options: AwsClient.Options): Layer.Layer<StoreKeys> =>
  Layer.effect(
    StoreKeys,
    Effect.gen(function* () {
      const { endpoint, requestTimeout = defaultTimeout } = options
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => new S3Client(AwsClient.configOf(options))),
        (each) => Effect.sync(() => each.destroy())
      )
      const { hostname, origin, port, protocol } = new URL(endpoint)

      const sign = async ({ body, path, query }: Question) => {
        const signer = await client.config.signer()
        return signer.sign({
          method: "PUT",
          protocol,
          hostname,
          ...(port === "" ? {} : { port: Number(port) }),
          path: prefix + path,
          query: { ...query },
          headers: { host: port === "" ? hostname : `${hostname}:${port}` },
          body
        })
      }

      const put = Effect.fnUntraced(function* (question: Question) {
        const answer = yield* Effect.tryPromise({
          try: async (abortSignal) => {
            const { headers } = await sign(question)
            const target = `${origin}${prefix}${question.path}?${new URLSearchParams(question.query).toString()}`
            const limit = AbortSignal.timeout(Duration.toMillis(requestTimeout))
            const signal = AbortSignal.any([abortSignal, limit])
            const response = await request(target, { method: "PUT", headers, body: question.body, signal })
            return { status: response.statusCode, said: await response.body.text() }
          },
          catch: (cause) => new StoreUnavailable({ endpoint, detail: wordsOf(cause), cause })
        })
        const { said, status } = answer
        if (status < 200 || status >= 300) return yield* failureOf(endpoint, question, status, said)
      })

      const admit = Effect.fn("RustfsStoreKeys.admit")(function* ({ accessKeyId, secret }: StoreKey) {
        const operation = `admit key ${accessKeyId}`
        yield* put({
          operation,
          path: "/add-user",
          query: { accessKey: accessKeyId },
          body: JSON.stringify({ secretKey: Redacted.value(secret), status: "enabled" })
        })
        yield* put({
          operation,
          path: "/set-user-or-group-policy",
          query: { policyName, userOrGroup: accessKeyId, isGroup: "false" },
          body: ""
        })
      })
      return { admit }
    })
  )
