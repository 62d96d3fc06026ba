import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import * as IssuedAuthenticator from "#layers/auth/IssuedAuthenticator"
import { Authenticator } from "#services/Authenticator"
import { accessKeyId, presign, request, secret, sign } from "#test/support/Signer"

const password = Redacted.make("test-secure-password")

const suite = (name: string, layer: Layer.Layer<Authenticator>) =>
  describe(`Authenticator (${name})`, () => {
    const test = (title: string, body: Effect.Effect<void, unknown, Authenticator>) =>
      it.effect(title, () =>
        Effect.andThen(TestClock.setTime(request.atUnixMs), body).pipe(Effect.provide(Layer.fresh(layer)))
      )

    test(
      "proves an access key by a signature, in the header or in the query",
      Effect.gen(function* () {
        const { signed } = yield* Authenticator
        assert.deepStrictEqual(yield* signed(sign(request)), { name: accessKeyId })
        assert.deepStrictEqual(yield* signed(presign(request, 60)), { name: accessKeyId })
      })
    )

    test(
      "tells a missing signature from an unknown key, a wrong one and an unreadable one",
      Effect.gen(function* () {
        const { signed } = yield* Authenticator
        const tagOf = (received: typeof bare) => Effect.map(Effect.flip(signed(received)), ({ _tag }) => _tag)
        const bare = { ...sign(request), rawHeaders: ["Host", "localhost"] as ReadonlyArray<string> }
        const saying = (authorization: string) => ({ ...bare, rawHeaders: ["AUTHORIZATION", authorization] })
        assert.strictEqual(yield* tagOf(bare), "MissingAuthentication")
        assert.strictEqual(yield* tagOf({ ...sign(request), method: "GET" }), "SignatureRefused")
        assert.strictEqual(yield* tagOf(saying("Basic dXNlcg==")), "SignatureIncomplete")
        assert.strictEqual(yield* tagOf(saying("AWS4-HMAC-SHA256 Credential")), "SignatureIncomplete")
        assert.strictEqual(yield* tagOf(saying("Bearer a.b.c")), "UnknownCredential")
        const authorization = `AWS4-HMAC-SHA256 Credential=AKIDOTHER/20260101/r/lambda/aws4_request, SignedHeaders=host, Signature=0`
        const stranger = { ...bare, rawHeaders: ["Authorization", authorization, "X-Amz-Date", "20260101T120000Z"] }
        assert.strictEqual(yield* tagOf(stranger), "UnknownCredential")
      })
    )

    test(
      "takes a token of ours in place of a signature",
      Effect.gen(function* () {
        const { issue, signed } = yield* Authenticator
        const token = Redacted.value(yield* issue("test-admin", password))
        for (const authorization of [`Bearer ${token}`, `bearer ${token}`, token]) {
          const principal = yield* signed({ ...sign(request), rawHeaders: ["authorization", authorization] })
          assert.deepStrictEqual(principal, { name: "test-admin" })
        }
      })
    )

    test(
      "issues a token for the right user and password only",
      Effect.gen(function* () {
        const { bearer, issue } = yield* Authenticator
        const token = Redacted.value(yield* issue("test-admin", password))
        assert.deepStrictEqual(yield* bearer(`Bearer ${token}`), { name: "test-admin" })
        for (const [user, word] of [
          ["test-admin", "wrong"],
          ["test-admin", ""],
          ["someone", Redacted.value(password)]
        ] as const) {
          assert.strictEqual((yield* Effect.flip(issue(user, Redacted.make(word))))._tag, "Unauthorized")
        }
      })
    )

    test(
      "refuses every other Authorization on a route",
      Effect.gen(function* () {
        const { bearer, issue } = yield* Authenticator
        const token = Redacted.value(yield* issue("test-admin", password))
        const wrong = [
          undefined,
          "",
          "Bearer",
          "Bearer ",
          "Basic dXNlcg==",
          `Token ${token}`,
          `Bearer ${token}x`,
          `${token} `.repeat(2)
        ]
        for (const authorization of wrong) {
          assert.strictEqual((yield* Effect.flip(bearer(authorization)))._tag, "Unauthorized", authorization ?? "none")
        }
        yield* TestClock.adjust("3001 seconds")
        assert.strictEqual((yield* Effect.flip(bearer(`Bearer ${token}`))).message, "Unauthorized")
      })
    )
  })

suite(
  "issued",
  IssuedAuthenticator.layer({
    credentials: [{ accessKeyId, secret }],
    user: "test-admin",
    password,
    tokens: { secret: Redacted.make("test-secret-key-must-be-at-least-32-chars"), lifetimeSeconds: 3000 }
  })
)
