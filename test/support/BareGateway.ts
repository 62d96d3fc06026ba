/** What a Gateway is asked from outside, by those who know its secrets. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { BareServer, Environment } from "./BareServer.ts"
import * as HttpCaller from "./HttpCaller.ts"
import * as Stack from "./Stack.ts"

/** What the functions of the sample answer. */
export interface Worked {
  readonly id: unknown
  readonly digest: string
  readonly requestId: string
  readonly pid: number
  readonly calls: number
  readonly greeting: string | null
  readonly initialisation?: string
}

export interface Asked {
  readonly call: (functionName: string, event?: unknown) => Effect.Effect<HttpCaller.Answer, HttpCaller.NoAnswer>
  /** A call that must end well. */
  readonly work: (functionName: string, event?: unknown) => Effect.Effect<Worked, HttpCaller.NoAnswer>
  /** Good at every door of the Gateway. */
  readonly token: Effect.Effect<string, HttpCaller.NoAnswer>
  /** A page for those with a token. */
  readonly page: (target: string) => Effect.Effect<HttpCaller.Answer, HttpCaller.NoAnswer>
  /** Its own count of a function's workers. */
  readonly pool: (functionName: string) => Effect.Effect<Omit<Stack.PoolLine, "function_name">, HttpCaller.NoAnswer>
}

const apiKey = "key-of-the-tests"
const password = "password-of-the-tests"

/** The settings that have no default. */
export const secrets: Environment = {
  ESB_SECRET_ACCESS_KEY: "secret-of-the-tests",
  JWT_SECRET_KEY: "key-of-the-tests-key-of-the-tests",
  X_API_KEY: apiKey,
  AUTH_PASS: password
}

export const asked = (server: BareServer): Asked => {
  const ask = (question: HttpCaller.Question) => HttpCaller.ask(server.url, question)
  const login = Effect.map(
    ask({
      method: "POST",
      target: "/user/auth/v1",
      headers: { "x-api-key": apiKey },
      body: JSON.stringify({ AuthParameters: { USERNAME: "admin", PASSWORD: password } })
    }),
    (answer) => {
      const { AuthenticationResult } = answer.json() as { readonly AuthenticationResult: { readonly IdToken: string } }
      return (token = AuthenticationResult.IdToken)
    }
  )
  let token: string | undefined
  const page = Effect.fnUntraced(function* (target: string) {
    const authorization = `Bearer ${token ?? (yield* login)}`
    return yield* ask({ target, headers: { authorization } })
  })
  const call = (functionName: string, event: unknown = {}) =>
    ask({ method: "POST", target: Stack.invokePath(functionName), body: JSON.stringify(event) })
  return {
    call,
    token: Effect.suspend(() => login),
    page,
    work: Effect.fnUntraced(function* (functionName: string, event: unknown = {}) {
      const answer = yield* call(functionName, event)
      const outcome = [answer.status, answer.header("x-amz-function-error")]
      assert.deepStrictEqual(outcome, [200, undefined], `${functionName}: ${answer.text}\n${server.stderr()}`)
      return answer.json() as Worked
    }),
    pool: (functionName) =>
      Effect.map(page("/metrics/pools"), (answer) => {
        const { pools } = answer.json() as { readonly pools: ReadonlyArray<Stack.PoolLine> }
        const none = { total_workers: 0, idle: 0, busy: 0, provisioning: 0, waiting: 0 }
        return { ...none, ...pools.find((line) => line.function_name === functionName) }
      })
  }
}
