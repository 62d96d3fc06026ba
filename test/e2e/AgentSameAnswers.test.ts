/** An embedded Gateway and a Gateway with an Agent over mTLS answer the same SDK session with the same bytes. */
import { assert, it } from "@effect/vitest"
import { InvokeCommand, type InvokeCommandInput, LambdaClient } from "@aws-sdk/client-lambda"
import { Effect } from "effect"
import { buffer } from "node:stream/consumers"
import { Readable } from "node:stream"
import * as Stack from "#test/support/Stack"

/** One answer as it came over the wire. */
interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const event = (value: unknown) => JSON.stringify(value)

/** Every way a call can go, in an order in which no call waits for what another one left behind. */
const session: ReadonlyArray<InvokeCommandInput> = [
  { FunctionName: "nothing" },
  { FunctionName: "nothing", Payload: event({ a: [1, "ü", null, "\u{1f600}"] }), LogType: "Tail" },
  { FunctionName: "nothing", Payload: event("x".repeat(1_000_000)) },
  { FunctionName: "nothing", InvocationType: "DryRun" },
  { FunctionName: "nothing", InvocationType: "Event", Payload: event({}) },
  { FunctionName: "nothing", Qualifier: "$LATEST" },
  { FunctionName: "nothing", Qualifier: "7" },
  { FunctionName: "nothing", ClientContext: Buffer.from('{"custom":{"a":"b"}}').toString("base64") },
  { FunctionName: "nothing", ClientContext: "!" },
  { FunctionName: "nothing", Payload: "{" },
  { FunctionName: "nothing", Payload: event("x".repeat(7_000_000)) },
  { FunctionName: "fail", LogType: "Tail" },
  { FunctionName: "fail", Payload: event({ name: "RangeError", message: "too far" }) },
  { FunctionName: "exit", LogType: "Tail" },
  { FunctionName: "hang", LogType: "Tail" },
  { FunctionName: "big", Payload: event({ bytes: 7_000_000 }) },
  { FunctionName: "big", Payload: event({ bytes: 1_000_000 }) },
  { FunctionName: "stream" },
  { FunctionName: "cutting" },
  { FunctionName: "closed" },
  { FunctionName: "unloadable", LogType: "Tail" },
  { FunctionName: "absent" },
  { FunctionName: "handlerless" },
  { FunctionName: "syntax" },
  { FunctionName: "throwing" },
  { FunctionName: "nobody" },
  { FunctionName: "arn:aws:lambda:eu-west-1:000000000000:function:nothing" }
]

/** What differs between two runs of anything: ids, times, memory, the directory of the code. */
const settled = (text: string): string =>
  text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<id>")
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/g, "<time>")
    .replace(/(Init Duration|Duration|Billed Duration): [\d.]+ ms/g, "$1: <ms>")
    .replace(/Max Memory Used: \d+ MB/g, "Max Memory Used: <MB>")
    .replace(/[0-9a-f]{64}/g, "<digest>")
    .replace(/\/\S*?\/\.esb\//g, "<home>/")

/** The log travels as base64 in a header. */
const settledHeader = ([name, value]: readonly [string, string]): readonly [string, string] => {
  if (name === "x-amz-log-result") return [name, settled(Buffer.from(value, "base64").toString())]
  if (name === "x-amzn-trace-id" || name === "date") return [name, "<drawn>"]
  // A length counts the digits of what was drawn.
  return name === "content-length" ? [name, "<length>"] : [name, settled(value)]
}

/** Plays the session with the unmodified SDK; a look at the wire is all that is added to it. */
const play = Effect.fnUntraced(function* (agent: "0" | "1") {
  const stack = yield* Stack.make({ environment: { ESB_AGENT: agent } })
  const answers: Array<Answer> = []
  const { accessKeyId, gateway: endpoint, region, secretAccessKey } = stack
  const client = new LambdaClient({ endpoint, region, maxAttempts: 1, credentials: { accessKeyId, secretAccessKey } })
  const { requestHandler } = client.config
  const handle = requestHandler.handle.bind(requestHandler)
  requestHandler.handle = async (...args) => {
    const answer = await handle(...args)
    const body = await buffer(answer.response.body as Readable)
    const headers = Object.fromEntries(Object.entries<string>(answer.response.headers).toSorted().map(settledHeader))
    answers.push({ status: answer.response.statusCode, headers, body: settled(body.toString("latin1")) })
    return { response: Object.assign(answer.response, { body: Readable.from([body]) }) }
  }
  yield* Effect.addFinalizer(() => Effect.sync(() => client.destroy()))
  for (const input of session) {
    // Refusals are answers, too: they were recorded on their way to the SDK.
    yield* Effect.ignore(Effect.tryPromise(() => client.send(new InvokeCommand(input))))
  }
  return answers
}, Effect.scoped)

it.live(
  "An SDK session is answered with the same bytes by an embedded Gateway and by one with an Agent over mTLS",
  () =>
    Effect.gen(function* () {
      const embedded = yield* play("0")
      const behindAnAgent = yield* play("1")
      assert.strictEqual(embedded.length, session.length)
      for (const [index, answer] of embedded.entries()) {
        assert.deepStrictEqual(
          behindAnAgent[index],
          answer,
          `call ${index}: ${JSON.stringify(session[index]).slice(0, 200)}`
        )
      }
      assert.isAbove(embedded.filter(({ status }) => status === 200).length, 10)
    }),
  120_000
)
