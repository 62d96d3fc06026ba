/** What a call leaves in VictoriaLogs: the Gateway's record, the function's lines and the operations, found by either id. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as LogStores from "#test/support/LogStores"
import * as Stack from "#test/support/Stack"
import * as TraceStores from "#test/support/TraceStores"

interface Kept {
  readonly url: string
  readonly objections?: ReadonlyArray<string>
}

class Store extends Context.Service<Store, Kept>()("esb/test/Store") {}

/** A stack that tells its store of every call. */
const telling = (
  store: Effect.Effect<Kept, unknown, Scope.Scope>,
  environment: Readonly<Record<string, string>> = {}
) =>
  Layer.unwrap(
    Effect.map(Store, ({ url }) =>
      Stack.layer({ environment: { VICTORIALOGS_URL: url, TRACE_SAMPLE_RATE: "1", ...environment } })
    )
  ).pipe(Layer.provideMerge(Layer.effect(Store, store)))

const id = () => crypto.randomUUID().replaceAll("-", "")
const newRoot = () => `1-${Math.floor(Date.now() / 1_000).toString(16)}-${id().slice(8)}`

const arrived = Effect.fnUntraced(function* (query: string, count: number) {
  const { url } = yield* Store
  return yield* eventually(query, LogStores.found(url, query), ({ length }) => length >= count, 10_000)
})

const inJob = (lines: ReadonlyArray<LogStores.StoredLine>, job: string, containerName: string) =>
  lines.filter((line) => line["job"] === job && line["container_name"] === containerName)

const named = (lines: ReadonlyArray<LogStores.StoredLine>, name: string): LogStores.StoredLine =>
  lines.find((line) => line["name"] === name) ?? assert.fail(`no operation ${name}`)

/** Calls a function, as a part of a trace of somebody else. */
const traced = Effect.fnUntraced(function* (sampled: string) {
  const stack = yield* Stack.Running
  const root = newRoot()
  const header = `Root=${root};Parent=53995c3f42cd8ad8;Sampled=${sampled}`
  const answer = yield* Stack.call(stack, "echo", { n: 1 }, { "x-amzn-trace-id": header })
  assert.strictEqual(answer.status, 200)
  assert.strictEqual(answer.header("x-amzn-trace-id"), header)
  const { traceId } = answer.json() as { readonly traceId: string }
  return { root, header, traceId, requestId: answer.header("x-amzn-requestid") ?? "" }
})

const noObjection = Effect.map(Store, ({ objections = [] }) => assert.deepStrictEqual([...objections], []))

const story = (name: string, store: Effect.Effect<Kept, unknown, Scope.Scope>, needed: object) =>
  describe(`In ${name}`, needed, () => {
    it.layer(telling(store), Stack.live)("of a Gateway with workers of its own", (it) => {
      it.effect("a call is found by its request id and by the root of its trace", () =>
        Effect.gen(function* () {
          const { requestId, root, traceId } = yield* traced("1")
          // The access line, two operations, and START and the function's own line at least.
          const byRequest = yield* arrived(`aws_request_id:="${requestId}"`, 5)
          const byTrace = yield* arrived(`trace_id:"${root}"`, byRequest.length)
          for (const lines of [byRequest, byTrace]) {
            const [access] = inJob(lines, "services", "esb-gateway")
            assert.match(access?.["_msg"] ?? "", /^POST \/2015-03-31\/functions\/echo\/invocations 200 /)
            assert.deepInclude(access, { method: "POST", status: "200", client_ip: "127.0.0.1" })
            const written = inJob(lines, "lambda", "echo")
            assert.isTrue(written.some((line) => line["_msg"]?.startsWith("START RequestId:")))
            assert.isTrue(written.every((line) => line["worker"]?.startsWith("esb-local-echo-")))
          }
          const request = named(byTrace, "HTTP POST")
          const call = named(byTrace, "invoke echo")
          assert.strictEqual(request["parent_span_id"], "53995c3f42cd8ad8")
          assert.strictEqual(call["parent_span_id"], request["span_id"])
          assert.strictEqual(traceId, `Root=${root};Parent=${call["span_id"]};Sampled=1`)
          assert.deepInclude(call, { status: "ok", kind: "client", "span_attr:faas.coldstart": "true" })
          yield* noObjection
        })
      )

      it.effect("of a trace that its caller does not want to be sampled there are the lines alone", () =>
        Effect.gen(function* () {
          const { header, requestId, traceId } = yield* traced("0")
          assert.strictEqual(traceId, header)
          const lines = yield* arrived(`aws_request_id:="${requestId}"`, 2)
          assert.deepStrictEqual(
            lines.filter((line) => line["job"] === "traces"),
            []
          )
        })
      )
    })

    it.layer(telling(store, { ESB_AGENT: "1" }), Stack.live)("of a Gateway with an Agent", (it) => {
      it.effect("the trace goes on through the Agent to the function, and no line of a worker arrives twice", () =>
        Effect.gen(function* () {
          const { requestId, root, traceId } = yield* traced("1")
          yield* arrived(`trace_id:"${root}" job:="traces"`, 3)
          const lines = yield* arrived(`trace_id:"${root}"`, 6)
          const call = named(lines, "invoke echo")
          const run = named(lines, "run echo")
          assert.strictEqual(run["container_name"], "esb-agent")
          assert.strictEqual(run["parent_span_id"], call["span_id"])
          assert.strictEqual(traceId, `Root=${root};Parent=${run["span_id"]};Sampled=1`)
          const starts = inJob(lines, "lambda", "echo").filter((line) => line["_msg"]?.startsWith("START RequestId:"))
          assert.strictEqual(starts.length, 1)
          assert.strictEqual(starts[0]?.["aws_request_id"], requestId)
          yield* arrived('container_name:="esb-agent" job:="services"', 1)
          yield* noObjection
        })
      )
    })
  })

story("a recorder", LogStores.recorder(), {})

describe("A Gateway that is asked to stop", () => {
  it.live("has told of its last call when it has ended", () =>
    Effect.gen(function* () {
      const store = yield* LogStores.recorder()
      const requestId = yield* Effect.scoped(
        Effect.gen(function* () {
          const { hostname, port } = new URL(store.url)
          const environment = { VICTORIALOGS_HOST: hostname, VICTORIALOGS_PORT: port }
          const stack = yield* Stack.make({ environment })
          const answer = yield* Stack.call(stack, "echo")
          return answer.header("x-amzn-requestid")
        })
      )
      const own = store.lines.filter((line) => line["aws_request_id"] === requestId)
      assert.strictEqual(inJob(own, "services", "esb-gateway").length, 1)
      assert.isTrue(own.some((line) => line["_msg"]?.startsWith("REPORT RequestId:")))
      assert.deepStrictEqual([...store.objections], [])
    })
  )
})

story("VictoriaLogs itself", LogStores.victoriaLogs, needs("victorialogs"))

class Traces extends Context.Service<Traces, Effect.Success<typeof TraceStores.recorder>>()("esb/test/Traces") {}

const tracing = Layer.unwrap(
  Effect.map(Traces, ({ url }) =>
    Stack.layer({
      // A host alone would do for a store of records, were it not turned off.
      environment: { VICTORIATRACES_URL: url, VICTORIALOGS_HOST: "127.0.0.1", DISABLE_VICTORIALOGS: "yes" }
    })
  )
).pipe(Layer.provideMerge(Layer.effect(Traces, TraceStores.recorder)))

describe("Where there is a store of traces alone", () => {
  it.layer(tracing, Stack.live)("and nothing is sampled but a part", (it) => {
    it.effect("a call whose caller wants it is told of, with what came of it", () =>
      Effect.gen(function* () {
        const { objections, spans } = yield* Traces
        const { requestId, root } = yield* traced("1")
        const own = () => spans.filter((span) => TraceStores.said(span, "aws_request_id") === requestId)
        yield* eventually("two operations", Effect.sync(own), ({ length }) => length === 2)
        const request = own().find(({ name }) => name === "HTTP POST")
        const call = own().find(({ name }) => name === "invoke echo")
        assert.strictEqual(call?.parentSpanId, request?.spanId)
        assert.strictEqual(call?.traceId, root.replaceAll("-", "").slice(1))
        assert.strictEqual(request?.service, "esb-gateway")
        assert.deepStrictEqual(objections, [])
      })
    )
  })
})
