/** Who may call a route, how a token is had, and which pages of other sites are kept out. */
import { createHmac } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "#test/support/Eventually"
import * as RoutedStack from "#test/support/RoutedStack"

const secret = "a secret of the tests that is long enough"

const environment = {
  JWT_SECRET_KEY: secret,
  X_API_KEY: "the key",
  AUTH_USER: "somebody",
  AUTH_PASS: "the password"
}

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")

const nowSeconds = () => Math.floor(Date.now() / 1000)

/** A token as the stack would make it, or as it would not. */
const token = (claims: object, key = secret, header: object = { alg: "HS256", typ: "JWT" }): string => {
  const signed = `${encoded(header)}.${encoded(claims)}`
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`
}

const good = () => token({ sub: "somebody", iat: nowSeconds(), exp: nowSeconds() + 60 })

const tampered = () => {
  const [header, , signature] = good().split(".")
  return `${header}.${encoded({ sub: "admin", exp: nowSeconds() + 60 })}.${signature}`
}

const unsigned = () => `${encoded({ alg: "none" })}.${encoded({ sub: "somebody", exp: nowSeconds() + 60 })}.`

/** Everything that is no token of this stack. */
const refused: ReadonlyArray<readonly [string, () => string | undefined]> = [
  ["none", () => undefined],
  ["an empty one", () => ""],
  ["a word", () => "Bearer password"],
  ["one whose claims were changed", () => `Bearer ${tampered()}`],
  ["one that another key signed", () => `Bearer ${token({ sub: "somebody", exp: nowSeconds() + 60 }, "x".repeat(40))}`],
  ["one that has expired", () => `Bearer ${token({ sub: "somebody", exp: nowSeconds() - 1 })}`],
  ["one that is not signed", () => `Bearer ${unsigned()}`],
  ["one of nobody", () => `Bearer ${token({ sub: "", exp: nowSeconds() + 60 })}`],
  ["one that never expires", () => `Bearer ${token({ sub: "somebody" })}`],
  ["a good one under another scheme", () => `Basic ${good()}`]
]

const call = Effect.fnUntraced(function* (target: string, authorization?: string) {
  const stack = yield* RoutedStack.RoutedStack
  return yield* stack.ask({ target, ...(authorization === undefined ? {} : { headers: { authorization } }) })
})

it.layer(RoutedStack.layer({ sample: "routes", environment: { ...environment, ROUTE_AUTH: "jwt" } }), RoutedStack.live)(
  "Routes with ROUTE_AUTH=jwt",
  (it) => {
    for (const [what, authorization] of refused) {
      it.effect(`refuse a token that is ${what}`, () =>
        Effect.gen(function* () {
          const answer = yield* call("/orders", authorization())
          assert.strictEqual(answer.status, 401)
          assert.strictEqual(answer.text, `{"message":"Unauthorized"}`)
        })
      )
    }

    it.effect("do not tell a stranger which paths there are", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* call("/nobody")).status, 401)
        assert.strictEqual((yield* call("/nobody", `Bearer ${good()}`)).status, 404)
      })
    )

    it.effect("take a token bare or as a bearer's, and tell the function whose it is", () =>
      Effect.gen(function* () {
        for (const authorization of [good(), `Bearer ${good()}`, `bearer ${good()}`]) {
          const answer = yield* call("/orders", authorization)
          assert.strictEqual(answer.status, 200)
          const { event } = answer.json() as { readonly event: { readonly requestContext: object } }
          assert.deepInclude(event.requestContext, {
            authorizer: {
              claims: { "cognito:username": "somebody", username: "somebody" },
              "cognito:username": "somebody"
            }
          })
        }
      })
    )

    it.effect("take the token that `esb up` told", () =>
      Effect.gen(function* () {
        const stack = yield* RoutedStack.RoutedStack
        assert.strictEqual((yield* stack.askWithToken({ target: "/orders" })).status, 200)
      })
    )

    it.effect("are closed to HEAD as well, and open to a preflight", () =>
      Effect.gen(function* () {
        const stack = yield* RoutedStack.RoutedStack
        assert.strictEqual((yield* stack.ask({ method: "HEAD", target: "/orders" })).status, 401)
        assert.strictEqual((yield* stack.ask({ method: "OPTIONS", target: "/orders" })).status, 204)
      })
    )

    it.effect("and pages about the stack want a token, health and the API description do not", () =>
      Effect.gen(function* () {
        const guarded = ["/functions", "/routes", "/metrics/pools", "/metrics/containers"]
        for (const target of [...guarded, "/_esb/logs", "/_esb/workers", "/_esb/events"]) {
          assert.strictEqual((yield* call(target)).status, 401, target)
          assert.strictEqual((yield* call(target, `Bearer ${good()}`)).status, 200, target)
        }
        for (const target of ["/health", "/openapi.json"]) assert.strictEqual((yield* call(target)).status, 200, target)
      })
    )
  }
)

const askForToken = Effect.fnUntraced(function* (body: unknown, key: string | undefined = environment.X_API_KEY) {
  const stack = yield* RoutedStack.RoutedStack
  const headers = { "content-type": "application/json", ...(key === undefined ? {} : { "x-api-key": key }) }
  const text = typeof body === "string" ? body : JSON.stringify(body)
  return yield* stack.ask({ method: "POST", target: "/user/auth/v1", headers, body: text })
})

const credentials = (USERNAME: string, PASSWORD: string) => ({ AuthParameters: { USERNAME, PASSWORD } })
const right = credentials(environment.AUTH_USER, environment.AUTH_PASS)

const keyWasRight = "padma_user_authorized"

it.layer(
  RoutedStack.layer({ sample: "routes", environment: { ...environment, JWT_EXPIRES_DELTA: "2" } }),
  RoutedStack.live
)("The token endpoint", (it) => {
  it.effect("gives a token that opens guarded routes until it expires", () =>
    Effect.gen(function* () {
      const answer = yield* askForToken(right)
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.header(keyWasRight), "true")
      const { AuthenticationResult } = answer.json() as { readonly AuthenticationResult: { readonly IdToken: string } }
      const { IdToken } = AuthenticationResult
      assert.strictEqual((yield* call("/account", IdToken)).status, 200)
      const seen = yield* eventually("the token expires", call("/account", IdToken), ({ status }) => status !== 200)
      assert.strictEqual(seen.status, 401)
      const [, claims = ""] = IdToken.split(".")
      const { exp, iat, sub } = JSON.parse(Buffer.from(claims, "base64url").toString())
      assert.deepStrictEqual([sub, exp - iat], ["somebody", 2])
    })
  )

  it.effect("tells a caller with the key that his password is wrong, and others nothing", () =>
    Effect.gen(function* () {
      const wrong = [credentials("somebody", "guess"), credentials("nobody", "the password"), credentials("", "")]
      for (const body of wrong) {
        const answer = yield* askForToken(body)
        assert.deepStrictEqual([answer.status, answer.header(keyWasRight)], [401, "true"])
        assert.strictEqual(answer.text, `{"message":"Unauthorized"}`)
      }
      const stack = yield* RoutedStack.RoutedStack
      const without = yield* stack.ask({ method: "POST", target: "/user/auth/v1", body: JSON.stringify(right) })
      for (const answer of [yield* askForToken(right, "another key"), yield* askForToken(right, ""), without]) {
        assert.deepStrictEqual([answer.status, answer.header(keyWasRight)], [401, undefined])
        assert.strictEqual(answer.text, `{"message":"Unauthorized"}`)
      }
    })
  )

  it.effect("answers 422 to what is no request for a token, before it looks at the key", () =>
    Effect.gen(function* () {
      const malformed = ["", "{", "[]", {}, { AuthParameters: { USERNAME: "somebody" } }, credentials("a", 1 as never)]
      for (const body of malformed) {
        const answer = yield* askForToken(body, "another key")
        assert.strictEqual(answer.status, 422, JSON.stringify(body))
        assert.strictEqual((answer.json() as { readonly message: string }).message, "Validation Error")
        assert.notInclude(answer.text, "the password")
      }
      assert.strictEqual((yield* askForToken("x".repeat(20_000))).status, 413)
    })
  )
})

it.layer(RoutedStack.layer({ sample: "routes", environment }), RoutedStack.live)(
  "Routes as the template guards them",
  (it) => {
    it.effect("are open where it says nothing, and a token is neither wanted nor looked at", () =>
      Effect.gen(function* () {
        for (const authorization of [undefined, "Bearer nonsense"]) {
          const answer = yield* call("/orders", authorization)
          assert.strictEqual(answer.status, 200)
          const { event } = answer.json() as { readonly event: { readonly requestContext: object } }
          assert.notProperty(event.requestContext, "authorizer")
        }
        assert.strictEqual((yield* call("/nobody")).status, 404)
      })
    )

    it.effect("want a token where it says so", () =>
      Effect.gen(function* () {
        for (const [, authorization] of refused) {
          assert.strictEqual((yield* call("/account", authorization())).status, 401)
        }
        assert.strictEqual((yield* call("/account", good())).status, 200)
      })
    )

    it.effect("answer a preflight for every path with what may be asked", () =>
      Effect.gen(function* () {
        const stack = yield* RoutedStack.RoutedStack
        const plain = yield* stack.ask({ method: "OPTIONS", target: "/nobody/at/all" })
        assert.strictEqual(plain.status, 204)
        assert.strictEqual(plain.header("access-control-allow-origin"), "*")
        assert.strictEqual(plain.header("access-control-allow-methods"), "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS")
        assert.include(plain.header("access-control-allow-headers") ?? "", "X-Amz-Invocation-Type")
        assert.strictEqual(plain.header("access-control-max-age"), "3600")
        assert.isUndefined(plain.header("vary"))
        const asked = yield* stack.ask({
          method: "OPTIONS",
          target: "/orders",
          headers: { origin: "https://shop.example", "access-control-request-headers": "x-one, x-two" }
        })
        assert.strictEqual(asked.header("access-control-allow-origin"), "https://shop.example")
        assert.strictEqual(asked.header("access-control-allow-headers"), "x-one, x-two")
        assert.strictEqual(asked.header("vary"), "Origin")
        const answer = yield* stack.ask({ target: "/orders", headers: { origin: "https://shop.example" } })
        assert.isUndefined(answer.header("access-control-allow-origin"))
      })
    )
  }
)

describe("A stack on a loopback address", () => {
  it.live("answers for loopback names and those it was told, and for no other", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.make({ sample: "routes", environment: { ALLOWED_HOSTS: "esb.test" } })
      const { port } = new URL(stack.ready.gateway)
      const statusFor = (host: string, target: string, method = "GET") =>
        Effect.map(stack.askWithToken({ method, target, headers: { host } }), ({ status }) => status)
      const ours = ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "orders.localhost", "esb.test"]
      for (const host of ours.flatMap((name) => [name, `${name}:${port}`])) {
        assert.strictEqual(yield* statusFor(host, "/orders"), 200, host)
      }
      for (const host of ["evil.example", `evil.example:${port}`, "localhost.evil.example", "127.0.0.1.evil.example"]) {
        for (const target of ["/orders", "/nobody", "/health", "/functions", "/_esb/logs"]) {
          assert.strictEqual(yield* statusFor(host, target), 403, `${host}${target}`)
        }
        assert.strictEqual(yield* statusFor(host, "/orders", "OPTIONS"), 403, host)
        assert.strictEqual(yield* statusFor(host, "/2015-03-31/functions/orders/invocations", "POST"), 403, host)
      }
      const answer = yield* stack.ask({ target: "/orders", headers: { host: "evil.example" } })
      assert.include(answer.text, "ALLOWED_HOSTS")
    }).pipe(Effect.scoped)
  )
})
