/** Callers who cannot prove who they are: the exact exception for each way not to, and no call. */
import { assert, it } from "@effect/vitest"
import { InvokeCommand, LambdaClient, type LambdaClientConfig } from "@aws-sdk/client-lambda"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import * as HttpCaller from "#test/support/HttpCaller"
import * as Stack from "#test/support/Stack"

/** A request as the SDK holds it before it is sent. */
interface Sent {
  body: unknown
  path: string
  readonly headers: Record<string, string>
}

/** A call of an SDK that is set up in another way; the function leaves a file if it runs. */
const callWith = Effect.fnUntraced(function* (config: LambdaClientConfig) {
  const stack = yield* Stack.Running
  const file = join(stack.directory, `ran-${Math.random()}`)
  const lambda = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new LambdaClient({
          endpoint: stack.gateway,
          region: stack.region,
          credentials: { accessKeyId: stack.accessKeyId, secretAccessKey: stack.secretAccessKey },
          maxAttempts: 1,
          ...config
        })
    ),
    (lambda) => Effect.sync(() => lambda.destroy())
  )
  const answer = yield* Effect.result(Stack.invoke({ lambda }, "record", { file, id: "ran" }))
  return { answer, ran: existsSync(file) }
})

const refused = Effect.fnUntraced(function* (config: LambdaClientConfig) {
  const { answer, ran } = yield* callWith(config)
  assert.isFalse(ran)
  if (answer._tag === "Success") return assert.fail("the call was let through")
  const { $metadata, message, name } = answer.failure
  return { name, status: $metadata.httpStatusCode, message }
})

/** A call in plain HTTP. */
const withHeaders = Effect.fnUntraced(function* (headers: Readonly<Record<string, string>>) {
  const stack = yield* Stack.Running
  const answer = yield* HttpCaller.ask(stack.gateway, {
    method: "POST",
    target: Stack.invokePath("echo"),
    headers,
    body: "{}"
  })
  return { name: answer.header("x-amzn-errortype"), status: answer.status, told: answer.json() }
})

const mismatch =
  "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key " +
  "and signing method. Consult the service documentation for details."
const invalidToken = "The security token included in the request is invalid."

it.layer(Stack.layer(), Stack.live)("A caller", (it) => {
  it.effect("with the credentials of the stack may call, whatever region and session he names", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const { accessKeyId, secretAccessKey } = stack
      for (const config of [
        {},
        { region: "eu-central-1" },
        { credentials: { accessKeyId, secretAccessKey, sessionToken: "a session of another world" } },
        { systemClockOffset: -4 * 60_000 }
      ]) {
        const { answer, ran } = yield* callWith(config)
        assert.deepStrictEqual([answer._tag, ran], ["Success", true])
      }
    })
  )

  it.effect("with the token of the stack may call", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      assert.strictEqual((yield* withHeaders({ authorization: `Bearer ${stack.token}` })).status, 200)
    })
  )

  it.effect("with a wrong secret is refused", () =>
    Effect.gen(function* () {
      const { accessKeyId } = yield* Stack.Running
      const credentials = { accessKeyId, secretAccessKey: "wrong" }
      assert.deepStrictEqual(yield* refused({ credentials }), {
        name: "InvalidSignatureException",
        status: 403,
        message: mismatch
      })
    })
  )

  it.effect("with an access key of somebody else is refused", () =>
    Effect.gen(function* () {
      const { secretAccessKey } = yield* Stack.Running
      const credentials = { accessKeyId: "AKIDSOMEBODYELSE", secretAccessKey }
      assert.deepStrictEqual(yield* refused({ credentials }), {
        name: "UnrecognizedClientException",
        status: 403,
        message: invalidToken
      })
    })
  )

  it.effect("whose clock is ten minutes slow, or fast, is refused", () =>
    Effect.gen(function* () {
      for (const [minutes, words] of [
        [-10, /^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)$/],
        [10, /^Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 5 min\.\)$/]
      ] as const) {
        const { message, name, status } = yield* refused({ systemClockOffset: minutes * 60_000 })
        assert.deepStrictEqual([name, status], ["InvalidSignatureException", 403])
        assert.match(message, words)
      }
    })
  )

  it.effect("whose request was changed on its way is refused", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const changes: ReadonlyArray<(sent: Sent) => void> = [
        (sent) => (sent.body = "[]"),
        (sent) => (sent.path = Stack.invokePath("echo")),
        (sent) => (sent.headers["x-amz-log-type"] = "Tail")
      ]
      for (const alter of changes) {
        const lambda = Stack.clientOf(stack)
        const { requestHandler } = lambda.config
        const send = requestHandler.handle.bind(requestHandler)
        // The request is signed by then.
        requestHandler.handle = (request, options) => {
          alter(request)
          return send(request, options)
        }
        const command = new InvokeCommand({ FunctionName: "record", Payload: "{}" })
        const refusal = yield* Effect.flip(
          Effect.tryPromise({ try: () => lambda.send(command), catch: (cause) => cause as Stack.Refusal })
        )
        assert.deepStrictEqual([refusal.name, refusal.$metadata.httpStatusCode], ["InvalidSignatureException", 403])
        lambda.destroy()
      }
    })
  )

  it.effect("who proves nothing is refused", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* withHeaders({}), {
        name: "MissingAuthenticationTokenException",
        status: 403,
        told: { Type: "User", message: "Missing Authentication Token" }
      })
    })
  )

  it.effect("with a wrong token is refused", () =>
    Effect.gen(function* () {
      const { token } = yield* Stack.Running
      const [head = "", , signature = ""] = token.split(".")
      const claims = Buffer.from(JSON.stringify({ sub: "root", exp: 4_000_000_000 })).toString("base64url")
      const unsigned = `${Buffer.from(JSON.stringify({ alg: "none", typ: "JWT" })).toString("base64url")}.${claims}.`
      for (const wrong of [`${head}.${claims}.${signature}`, unsigned, token.slice(0, -4)]) {
        assert.deepStrictEqual(yield* withHeaders({ authorization: `Bearer ${wrong}` }), {
          name: "UnrecognizedClientException",
          status: 403,
          told: { Type: "User", message: invalidToken }
        })
      }
    })
  )

  it.effect("whose Authorization cannot be read is refused", () =>
    Effect.gen(function* () {
      for (const authorization of ["AWS4-HMAC-SHA256 Credential=a/b/c", "Basic dXNlcjpwYXNz", "AWS4-HMAC-SHA256"]) {
        const { name, status } = yield* withHeaders({ authorization })
        assert.deepStrictEqual([name, status], ["IncompleteSignatureException", 400], authorization)
      }
    })
  )

  it.effect("who proves nothing is not told which functions there are", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const answers = yield* Effect.forEach(["echo", "nobody", "not a name!"], (name) =>
        HttpCaller.ask(stack.gateway, { method: "POST", target: Stack.invokePath(name), body: "{}" })
      )
      for (const answer of answers) {
        assert.deepStrictEqual(
          [answer.status, answer.header("x-amzn-errortype")],
          [403, "MissingAuthenticationTokenException"]
        )
      }
    })
  )
})
