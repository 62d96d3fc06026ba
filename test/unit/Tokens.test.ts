import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { SignJWT, UnsecuredJWT } from "jose"
import { createSecretKey } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Tokens from "#layers/auth/Tokens"
import { engine, needs } from "#test/support/Engines"

const secret = Redacted.make("test-secret-key-must-be-at-least-32-chars")
const make = Tokens.make({ secret, lifetimeSeconds: 3000 })

const claimsOf = (token: string): unknown =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"))

/** A token with any claims, signed with our secret. */
const signed = (claims: Record<string, unknown>, header: Record<string, unknown> = {}) =>
  Effect.promise(() =>
    new SignJWT(claims).setProtectedHeader({ alg: "HS256", ...header }).sign(Tokens.secretKey(secret))
  )

const refusalOf = Effect.fnUntraced(function* (token: string) {
  const tokens = yield* make
  const failure = yield* Effect.flip(tokens.verify(token))
  assert.strictEqual(failure.message, "Unauthorized")
  return failure.detail
})

describe("Tokens", () => {
  it.effect("issues claims sub, iat and exp, and believes them again", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_700_000_000_999)
      const tokens = yield* make
      const token = Redacted.value(yield* tokens.issue("test-admin"))
      assert.deepStrictEqual(claimsOf(token), { sub: "test-admin", iat: 1_700_000_000, exp: 1_700_003_000 })
      assert.deepStrictEqual(yield* tokens.verify(token), { name: "test-admin" })
    })
  )

  it.effect("believes a token until it expires, remembered or not", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_700_000_000_000)
      const tokens = yield* make
      const token = Redacted.value(yield* tokens.issue("test-admin"))
      yield* TestClock.adjust("2999 seconds")
      assert.strictEqual((yield* tokens.verify(token)).name, "test-admin")
      assert.strictEqual((yield* tokens.verify(token)).name, "test-admin")
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual((yield* Effect.flip(tokens.verify(token))).detail, "expired")
      assert.strictEqual(yield* refusalOf(token), "expired")
    })
  )

  it.effect("goes on believing more tokens than it remembers", () =>
    Effect.gen(function* () {
      const tokens = yield* make
      const issued = yield* Effect.forEach(
        Array.from({ length: 1_100 }, (_, number) => `user-${number}`),
        (user) => tokens.issue(user),
        { concurrency: 16 }
      )
      for (const round of [issued, issued.toReversed()]) {
        for (const token of round) yield* tokens.verify(Redacted.value(token))
      }
      const first = issued[0]
      assert(first !== undefined)
      assert.strictEqual((yield* tokens.verify(Redacted.value(first))).name, "user-0")
    })
  )

  it.effect("refuses a token without the claims it needs", () =>
    Effect.gen(function* () {
      const later = 4_000_000_000
      for (const claims of [
        {},
        { sub: "a" },
        { exp: later },
        { sub: "", exp: later },
        { sub: 7, exp: later },
        { sub: "a", exp: "1" }
      ]) {
        assert.strictEqual(yield* refusalOf(yield* signed(claims)), "claims sub and exp are missing or wrong")
      }
      assert.strictEqual(yield* refusalOf(yield* signed({ sub: "a", exp: later, nbf: later })), "not yet valid")
    })
  )

  it.effect("refuses another secret, another algorithm, none at all, and rules it does not know", () =>
    Effect.gen(function* () {
      const claims = { sub: "test-admin", exp: 4_000_000_000 }
      const withKey = (alg: string, key: string) =>
        Effect.promise(() => new SignJWT(claims).setProtectedHeader({ alg }).sign(createSecretKey(key, "utf8")))
      const strong = "another-secret-key-of-at-least-64-characters-for-the-longer-digest"
      assert.include(yield* refusalOf(yield* withKey("HS256", strong)), "signature verification failed")
      assert.include(yield* refusalOf(yield* withKey("HS512", Redacted.value(secret).padEnd(64, "x"))), "compact HS256")
      assert.include(yield* refusalOf(new UnsecuredJWT(claims).encode()), "not a compact HS256 token")
      const token = yield* signed(claims)
      const [, payload = "", signature = ""] = token.split(".")
      const header = Buffer.from(`{"alg":"HS256","crit":["x"],"x":1}`).toString("base64url")
      assert.include(yield* refusalOf(`${header}.${payload}.${signature}`), "not recognized")
      assert.strictEqual(yield* refusalOf("x".repeat(5_000)), "not a compact HS256 token")
    })
  )

  it.effect("treats a short secret as the defect of who configured it", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Tokens.make({ secret: Redacted.make("short"), lifetimeSeconds: 1 }))
      assert.isTrue(Exit.isFailure(exit) && exit.cause.reasons.some((reason) => reason._tag === "Die"))
    })
  )
})

interface Vector {
  readonly tcId: number
  readonly comment: string
  readonly jws: string
  readonly result: "valid" | "invalid"
}

interface Group {
  readonly private: { readonly kty: string; readonly alg?: string; readonly k?: string }
  readonly tests: ReadonlyArray<Vector>
}

const vectors = (): ReadonlyArray<Vector & { readonly key: string }> => {
  const golden = engine("golden")
  if (!golden.present) return []
  const path = join(golden.path, "wycheproof/json_web_signature_test.json")
  const { testGroups } = JSON.parse(readFileSync(path, "utf8")) as { readonly testGroups: ReadonlyArray<Group> }
  return testGroups.flatMap((group) =>
    group.private.kty === "oct" && group.private.alg === "HS256"
      ? group.tests.map((vector) => ({ ...vector, key: group.private.k ?? "" }))
      : []
  )
}

/**
 * 367 and 370 are called invalid, yet are byte for byte the valid 357. 372 and 373 are called valid, yet have a `?` in
 * what was signed, which is no base64url and not what the signature covers.
 */
const contradictory = new Set([367, 370, 372, 373])

describe("Tokens and the vectors of Wycheproof for HS256", needs("golden"), () => {
  it("finds them", () => {
    assert.isAbove(vectors().length, 30)
  })

  for (const { tcId, comment, jws, result, key } of vectors().filter(({ tcId }) => !contradictory.has(tcId))) {
    it.effect(`calls ${tcId} ${comment} ${result}`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(Tokens.verifiedPayload(jws, createSecretKey(key, "base64url")))
        assert.strictEqual(Exit.isSuccess(exit), result === "valid")
      })
    )
  }
})
