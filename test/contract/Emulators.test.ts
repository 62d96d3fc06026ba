/**
 * The faults of a Runtime Interface Emulator, seen by a bare HTTP client: what the rest of the code counts on, and what proves
 * that the stand-in is as good, and as bad, as AWS's own.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { type IncomingMessage, request as send } from "node:http"
import * as EmulatorPort from "#layers/rie/EmulatorPort"
import * as Emulators from "#test/support/Emulators"
import { eventually } from "#test/support/Eventually"
import * as Processes from "#test/support/Processes"

interface Said {
  readonly status: number
  readonly headers: ReadonlyArray<string>
  readonly body: string
}

interface Asked {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
}

const answerOf = async (response: IncomingMessage): Promise<Said> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const { connection: _, date: __, "content-length": ___, ...headers } = response.headers
  return {
    status: response.statusCode ?? 0,
    headers: Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`),
    body: Buffer.concat(chunks).toString()
  }
}

const unanswered: Said = { status: 0, headers: [], body: "" }

/** A connection that breaks is no answer. */
const post = ({ host, port }: EmulatorPort.Address, event: unknown, asked: Asked = {}): Promise<Said> => {
  const { method = "POST", path = "/2015-03-31/functions/function/invocations", headers = {} } = asked
  const body = JSON.stringify(event)
  const all = { ...headers, "content-length": body.length }
  return new Promise((resolve) => {
    const request = send({ host, port, method, path, agent: false, headers: all })
    request.on("error", () => resolve(unanswered))
    request.on("response", (response) => void answerOf(response).then(resolve, () => resolve(unanswered)))
    request.end(body)
  })
}

const plain = ["content-type: text/plain; charset=utf-8"]
const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/

for (const name of Emulators.emulatorNames) {
  const start = Effect.fnUntraced(function* (handler: string, environment?: Readonly<Record<string, string>>) {
    const emulator = yield* Emulators.start(name, handler, environment)
    yield* EmulatorPort.accepting(emulator.address, { probeEveryMs: 10, probeLimitMs: 1_000 })
    const say = (event: unknown, asked?: Asked) => Effect.promise(() => post(emulator.address, event, asked))
    return { ...emulator, say }
  })

  describe(`an emulator (${name})`, Emulators.needsEmulator(name), () => {
    it.live("starts no runtime before the first call, and answers that one whatever its method", () =>
      Effect.gen(function* () {
        const { directory, say } = yield* start("index.echo")
        const running = () => Processes.of(directory).filter(({ command }) => command.includes("clients/node.mjs"))
        const own = running().length
        assert.deepInclude(yield* say({ n: 1 }, { method: "PUT" }), { status: 200, headers: plain, body: '{"n":1}' })
        assert.isAbove(running().length, own)
      })
    )

    it.live("hands the function the client context and an id, but no trace", () =>
      Effect.gen(function* () {
        const { say } = yield* start("index.told")
        const { body } = yield* say(
          {},
          {
            headers: {
              "x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793",
              "x-amz-client-context": Buffer.from('{"custom":{"a":1}}').toString("base64")
            }
          }
        )
        const told = JSON.parse(body) as Readonly<Record<string, unknown>>
        assert.deepInclude(told, { clientContext: { custom: { a: 1 } }, trace: null })
        assert.strictEqual(told["invokedFunctionArn"], "arn:aws:lambda:us-east-1:012345678912:function:sample")
        assert.match(String(told["awsRequestId"]), uuid)
      })
    )

    it.live("answers an error of the function like any other answer", () =>
      Effect.gen(function* () {
        const { say } = yield* start("index.fail")
        const { body, ...said } = yield* say({})
        assert.deepStrictEqual(said, { status: 200, headers: plain })
        assert.deepInclude(JSON.parse(body), { errorType: "TypeError", errorMessage: "boom" })
      })
    )

    it.live("loses the type of an answer, and guesses one", () =>
      Effect.gen(function* () {
        const { say } = yield* start("index.say")
        const answers = [
          { text: "plain words", type: "text/csv", guess: plain },
          { text: "<p>words</p>", type: "text/csv", guess: ["content-type: text/html; charset=utf-8"] },
          { text: "", type: "application/json", guess: [] }
        ]
        for (const { guess, text, type } of answers) {
          assert.deepStrictEqual(yield* say({ text, type }), { status: 200, headers: guess, body: text })
        }
      })
    )

    it.live("answers 502 when the runtime ends, and starts another with the next call", () =>
      Effect.gen(function* () {
        const { say } = yield* start("index.exit")
        for (const code of [3, 4]) {
          const { body, ...said } = yield* say({ code })
          assert.deepStrictEqual(said, { status: 502, headers: plain })
          const { errorMessage, errorType } = JSON.parse(body) as { errorMessage: string; errorType: string }
          assert.strictEqual(errorType, "Runtime.ExitError")
          assert.match(
            errorMessage,
            new RegExp(`^RequestId: ${uuid.source} Error: Runtime exited with error: exit status ${code}$`)
          )
        }
      })
    )

    it.live("answers 502 with what the runtime reported when it cannot load the function", () =>
      Effect.gen(function* () {
        const { say } = yield* start("gone.handler")
        const { body, ...said } = yield* say({})
        assert.deepStrictEqual(said, { status: 502, headers: plain })
        assert.propertyVal(JSON.parse(body), "errorType", "Runtime.ImportModuleError")
      })
    )

    it.live("answers 502 without a word when the runtime ends while it loads", () =>
      Effect.gen(function* () {
        const { say } = yield* start("leaves.handler")
        assert.deepStrictEqual(yield* say({}), { status: 502, headers: [], body: "" })
      })
    )

    it.live("answers 200 to a call that timed out, and can take another", () =>
      Effect.gen(function* () {
        const { say } = yield* start("index.rest", { AWS_LAMBDA_FUNCTION_TIMEOUT: "1" })
        const body = "Task timed out after 1.00 seconds"
        assert.deepStrictEqual(yield* say({ ms: 5_000 }), { status: 200, headers: plain, body })
        assert.deepInclude(yield* say({ ms: 1 }), { status: 200, body: "1" })
      })
    )

    it.live("answers nothing at all when the timeout is no whole number of seconds", () =>
      Effect.gen(function* () {
        const { say } = yield* start("index.echo", { AWS_LAMBDA_FUNCTION_TIMEOUT: "0.3" })
        assert.deepStrictEqual(yield* say({}), unanswered)
      })
    )

    it.live("refuses an answer that is too large in its own words, and goes on", () =>
      Effect.gen(function* () {
        const { say } = yield* start("index.large")
        const { body, status } = yield* say({ bytes: 6_291_557 })
        assert.strictEqual(status, 200)
        assert.deepStrictEqual(JSON.parse(body), {
          errorType: "Function.ResponseSizeTooLarge",
          errorMessage: "Response payload size (6291557 bytes) exceeded maximum allowed payload size (6291556 bytes)."
        })
        assert.lengthOf((yield* say({ bytes: 6_291_556 })).body, 6_291_556)
      })
    )

    it.live("answers 500 to a client context that is no base64, and 404 elsewhere", () =>
      Effect.gen(function* () {
        const { say } = yield* start("index.echo")
        const bad = yield* say({}, { headers: { "x-amz-client-context": "!!" } })
        assert.deepStrictEqual(bad, { status: 500, headers: [], body: "" })
        assert.strictEqual((yield* say({}, { path: "/" })).status, 404)
      })
    )

    it.live("ends at a second call before the first one's answer", () =>
      Effect.gen(function* () {
        const { address, child, say } = yield* start("index.rest")
        const first = yield* Effect.forkChild(say({ ms: 2_000 }))
        yield* Effect.sleep(300)
        assert.deepStrictEqual(yield* say({ ms: 1 }), unanswered)
        assert.deepStrictEqual(yield* Fiber.join(first), unanswered)
        yield* eventually(
          "it ends",
          Effect.sync(() => child.exitCode),
          (code) => code !== null
        )
        assert.isFalse(yield* EmulatorPort.accepts(address, 1_000))
      })
    )
  })
}
