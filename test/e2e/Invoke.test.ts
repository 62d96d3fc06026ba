/** What a caller of the Invoke API gets, through the unmodified SDK. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { eventually } from "#test/support/Eventually"
import { needs } from "#test/support/Engines"
import * as Stack from "#test/support/Stack"

interface Echo {
  readonly event: unknown
  readonly worker: string
  readonly calls: number
  readonly requestId: string
  readonly clientContext: unknown
  readonly traceId: string
}

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64")

it.layer(Stack.layer(), Stack.live)("The Invoke API", (it) => {
  it.effect("answers with what the function returns, and says which version ran", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const answer = yield* Stack.invoke(stack, "echo", { n: [1, "ü", null] })
      assert.deepInclude(answer, { status: 200, functionError: undefined, executedVersion: "$LATEST", log: "" })
      assert.deepInclude(answer.payload, {
        event: { n: [1, "ü", null] },
        functionName: "echo",
        functionVersion: "$LATEST",
        memory: "256",
        greeting: "hello",
        arn: "arn:aws:lambda:us-east-1:000000000000:function:echo"
      })
    })
  )

  it.effect("keeps a worker for the next call", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const first = (yield* Stack.invoke(stack, "echo")).payload as Echo
      const second = (yield* Stack.invoke(stack, "echo")).payload as Echo
      assert.deepStrictEqual([second.worker, second.calls], [first.worker, first.calls + 1])
    })
  )

  it.effect("gives the function an empty object for no payload, and the caller null for no result", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const { payload } = yield* Stack.invoke(stack, "echo", undefined, { Payload: "" })
      assert.deepInclude(payload, { event: {} })
      assert.strictEqual((yield* Stack.invoke(stack, "nothing")).text, "null")
    })
  )

  it.effect("tells a function's error with 200, its name and its trace", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const { functionError, payload, status } = yield* Stack.invoke(stack, "fail")
      assert.deepStrictEqual([status, functionError], [200, "Unhandled"])
      const { trace, ...error } = payload as { readonly trace: ReadonlyArray<string> }
      assert.deepStrictEqual(error, { errorType: "TypeError", errorMessage: "as asked" })
      assert.match(trace.join("\n"), /^TypeError: as asked\n {4}at fail \(.*calls\.mjs:\d+:\d+\)/)
    })
  )

  it.effect("has one request id for the caller, the function and the log", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const { log, payload, requestId = "" } = yield* Stack.invoke(stack, "echo", {}, { LogType: "Tail" })
      assert.match(requestId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      assert.strictEqual((payload as Echo).requestId, requestId)
      assert.include(log, `START RequestId: ${requestId} `)
      const lines = yield* eventually("the REPORT line is stored", Stack.logOf(stack, requestId), (lines) =>
        lines.some(({ message }) => message.startsWith("REPORT"))
      )
      assert.isTrue(lines.some(({ message, source }) => source === "function" && message.includes("echo {}")))
    })
  )

  it.effect("returns the log of the call when it is asked for", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      yield* Stack.invoke(stack, "echo")
      const { log, requestId } = yield* Stack.invoke(stack, "echo", { a: 1 }, { LogType: "Tail" })
      const [start, line, end, report, ...rest] = log.split("\n")
      assert.strictEqual(start, `START RequestId: ${requestId} Version: $LATEST`)
      assert.match(line ?? "", new RegExp(`^\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z\\t${requestId}\\tINFO\\techo \\{ a: 1 \\}$`))
      assert.strictEqual(end, `END RequestId: ${requestId}`)
      assert.match(
        report ?? "",
        new RegExp(
          `^REPORT RequestId: ${requestId}\\tDuration: [\\d.]+ ms\\tBilled Duration: \\d+ ms\\t` +
            "Memory Size: 256 MB\\tMax Memory Used: \\d+ MB\\t$"
        )
      )
      assert.deepStrictEqual(rest, [""])
    })
  )

  it.effect("says in the log of a first call how long the start took, and of no later one", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const cold = yield* Stack.invoke(stack, "slow", { ms: 0 }, { LogType: "Tail" })
      const warm = yield* Stack.invoke(stack, "slow", { ms: 0 }, { LogType: "Tail" })
      assert.match(cold.log, /\tInit Duration: [\d.]+ ms\t\n$/)
      assert.notInclude(warm.log, "Init Duration")
    })
  )

  it.effect("returns no more than the last 4 KiB of the log", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const { log, payload, requestId } = yield* Stack.invoke(stack, "noisy", { bytes: 8_192 }, { LogType: "Tail" })
      assert.strictEqual(payload, "done")
      assert.strictEqual(Buffer.byteLength(log), 4_096)
      assert.notInclude(log, "START")
      assert.include(log, `\nEND RequestId: ${requestId}\nREPORT `)
    })
  )

  it.effect("returns the log of a call that fails", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const { log, requestId } = yield* Stack.invoke(stack, "fail", {}, { LogType: "Tail" })
      assert.include(log, `\t${requestId}\tERROR\tInvoke Error \t{"errorType":"TypeError"`)
      assert.match(log, /\nREPORT .*\n$/)
    })
  )

  it.effect("answers a dry run with 204, and runs nothing", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const file = join(stack.directory, "dry")
      const answer = yield* Stack.invoke(stack, "record", { file, id: "dry" }, { InvocationType: "DryRun" })
      assert.deepInclude(answer, { status: 204, text: "", executedVersion: undefined })
      // A call that runs after it shows that the dry one did not.
      yield* Stack.invoke(stack, "record", { file, id: "wet" })
      assert.strictEqual(readFileSync(file, "utf8"), "wet\n")
      const refusal = yield* Effect.flip(Stack.invoke(stack, "no-such", {}, { InvocationType: "DryRun" }))
      assert.strictEqual(refusal.name, "ResourceNotFoundException")
    })
  )

  it.effect("accepts an event with 202 and runs it under the id that the caller got", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const file = join(stack.directory, "event")
      const answer = yield* Stack.invoke(stack, "slow", { ms: 0, file, id: "ran" }, { InvocationType: "Event" })
      assert.deepInclude(answer, { status: 202, text: "", functionError: undefined, executedVersion: undefined })
      yield* eventually(
        "the event runs",
        Effect.sync(() => existsSync(file) && readFileSync(file, "utf8")),
        (text) => text === "ran\n"
      )
      yield* eventually("its log is stored", Stack.logOf(stack, answer.requestId ?? ""), (lines) =>
        lines.some(({ message }) => message.startsWith("REPORT"))
      )
    })
  )

  it.effect("hands the client context to the function", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const context = { client: { appTitle: "übung" }, custom: { a: "b" }, env: { locale: "de" } }
      const { payload } = yield* Stack.invoke(stack, "echo", {}, { ClientContext: base64(context) })
      assert.deepStrictEqual((payload as Echo).clientContext, context)
      assert.isNull(((yield* Stack.invoke(stack, "echo")).payload as Echo).clientContext)
    })
  )

  it.effect("refuses a client context that is no object in base64", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      for (const ClientContext of ["not base64!", base64("text"), Buffer.from("{").toString("base64")]) {
        const { $metadata, name } = yield* Effect.flip(Stack.invoke(stack, "echo", {}, { ClientContext }))
        assert.deepStrictEqual([name, $metadata.httpStatusCode], ["InvalidRequestContentException", 400])
      }
    })
  )

  it.effect("carries the caller's trace to the function and back", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"
      const answer = yield* Stack.call(stack, "echo", {}, { "x-amzn-trace-id": trace })
      assert.strictEqual(answer.header("x-amzn-trace-id"), trace)
      assert.strictEqual((answer.json() as Echo).traceId, trace)
    })
  )

  it.effect("begins a trace where the caller has none", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const answers = yield* Effect.all([Stack.call(stack, "echo"), Stack.call(stack, "echo")])
      const traces = answers.map((answer) => answer.header("x-amzn-trace-id"))
      for (const [index, answer] of answers.entries()) {
        assert.match(traces[index] ?? "", /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Sampled=1$/)
        assert.strictEqual((answer.json() as Echo).traceId, traces[index])
      }
      assert.strictEqual(new Set(traces).size, 2)
    })
  )

  it.effect("refuses a kind of call or log that does not exist", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      for (const [member, name] of [
        ["InvocationType", "invocationType"],
        ["LogType", "logType"]
      ] as const) {
        const refusal = yield* Effect.flip(Stack.invoke(stack, "echo", {}, { [member]: "Sideways" }))
        assert.deepStrictEqual([refusal.name, refusal.$metadata.httpStatusCode], ["ValidationException", 400])
        assert.include(refusal.message, `1 validation error detected: Value 'Sideways' at '${name}' failed to satisfy`)
      }
    })
  )

  it.effect(
    "runs Python functions as well",
    () =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const { payload, requestId } = yield* Stack.invoke(stack, "snake", { n: 1 })
        assert.deepStrictEqual(payload, { event: { n: 1 }, requestId })
      }),
    needs("python")
  )
})
