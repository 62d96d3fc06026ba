/** What every runtime client of ours promises. The handlers are `test/samples/clients/<language>/common`. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { errorOf, promisesOf, resultOf, temporary } from "#test/support/ClientAnswers"
import { TOKEN } from "#test/support/ClientWorker"
import { eventually } from "#test/support/Eventually"
import type { StartClient } from "#test/support/RuntimeClients"

export const suite = (name: string, makeStart: () => Promise<StartClient>) =>
  describe(`Runtime client (${name})`, () => {
    const promises = promisesOf(makeStart)

    promises("answers with what the function returns, over one connection", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.echo")
        for (const event of [{ text: "grüße \u2028 😀", list: [1, 2.5, null] }, "", 0, [], null]) {
          assert.deepStrictEqual(resultOf(yield* worker.invoke(event)), event)
        }
        assert.strictEqual(worker.peer.connections, 1)
      })
    )

    promises("answers null when the function returns nothing", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.nothing")
        assert.isNull(resultOf(yield* worker.invoke({})))
      })
    )

    promises("proves itself with every request and keeps the proof from the function", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.context")
        const { token } = resultOf(yield* worker.invoke({})) as { token: unknown }
        assert.isNull(token)
        const [poll, answer] = worker.peer.requests.map(({ headers }) => headers["esb-worker-token"])
        assert.deepStrictEqual([poll, answer], [TOKEN, TOKEN])
      })
    )

    promises("tells the function about its call", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.context")
        const outcome = yield* worker.invoke(
          {},
          {
            timeoutMs: 9000,
            traceId: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
            clientContext: JSON.stringify({
              custom: { größe: "ü" },
              env: { locale: "de" },
              client: { app_title: "app" }
            }),
            identity: JSON.stringify({ cognitoIdentityId: "id", cognitoIdentityPoolId: "pool" })
          }
        )
        const { remainingMs, requestId, ...rest } = resultOf(outcome) as { remainingMs: number; requestId: string }
        assert.isTrue(remainingMs > 5000 && remainingMs <= 9000, `${remainingMs} ms remain of 9000`)
        assert.strictEqual(requestId, outcome.kind === "exit" ? "" : outcome.id)
        assert.deepStrictEqual(rest as unknown, {
          functionName: "sample",
          version: "$LATEST",
          memory: "128",
          logGroup: "/aws/lambda/sample",
          logStream: "2026/01/02/[$LATEST]0123",
          arn: "arn:aws:lambda:us-east-1:123456789012:function:sample",
          custom: { größe: "ü" },
          env: { locale: "de" },
          appTitle: "app",
          identityId: "id",
          trace: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
          token: null,
          patience: null
        })
      })
    )

    promises("shows the trace of this call, and none when the call has none", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.context")
        const traces: Array<unknown> = []
        for (const traceId of ["Root=1-a", "Root=1-b", undefined]) {
          const outcome = yield* worker.invoke({}, traceId === undefined ? {} : { traceId })
          traces.push((resultOf(outcome) as { trace: unknown }).trace)
        }
        assert.deepStrictEqual(traces, ["Root=1-a", "Root=1-b", null])
      })
    )

    promises("takes a client context of 256 KiB", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.context")
        const custom = { text: "x".repeat(256 * 1024) }
        const outcome = yield* worker.invoke({}, { clientContext: JSON.stringify({ custom, client: {} }) })
        assert.deepStrictEqual((resultOf(outcome) as { custom: unknown }).custom, custom)
      })
    )

    promises("carries events and results of several MiB whole", (start) =>
      Effect.gen(function* () {
        const echo = yield* start("common.echo")
        const event = "ü".repeat(1_500_000)
        assert.strictEqual(resultOf(yield* echo.invoke(event)), event)
        const repeats = yield* start("common.repeats")
        assert.strictEqual(resultOf(yield* repeats.invoke({ times: 3_000_000 })), "ü".repeat(3_000_000))
      })
    )

    promises("tells a failure with its type, and takes the next call", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.throws")
        for (const text of ["first", "second"]) {
          const { body, type } = errorOf(yield* worker.invoke({ error_msg: text }))
          assert.strictEqual(type, "TypeError")
          assert.deepStrictEqual([body.errorType, body.errorMessage], ["TypeError", text])
        }
      })
    )

    promises("lets no error name break out of its header", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.oddError")
        const { body, type } = errorOf(yield* worker.invoke({}))
        assert.strictEqual(body.errorType, "Naïve\r\nX-Injected: 1")
        assert.strictEqual(type, "Na?ve??X-Injected: 1")
      })
    )

    promises("answers an event that is not JSON with an error", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.echo")
        const { body } = errorOf(yield* worker.invoke(undefined, { rawEvent: "{" }))
        assert.include(["SyntaxError", "Runtime.UnmarshalError"], body.errorType)
        assert.strictEqual(resultOf(yield* worker.invoke("next")), "next")
      })
    )

    promises("ends as the function says when that ends the process", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.exits")
        assert.deepStrictEqual(yield* worker.invoke({ code: 9 }), { kind: "exit", code: 9, signal: null })
        assert.isUndefined(worker.initError())
      })
    )

    promises("has written all output of a call before its answer", (start) =>
      Effect.gen(function* () {
        const outputFile = join(yield* temporary, "output")
        const worker = yield* start("common.prints", { outputFile })
        assert.isNull(resultOf(yield* worker.invoke({ lines: 20_000 })))
        assert.isTrue(readFileSync(outputFile, "utf8").endsWith("line 20000\nand a rest"))
      })
    )

    promises("does not answer before its output has found room", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.prints", { holdsOutput: true })
        const { answered } = worker.peer.call({ lines: 100_000 })
        yield* Effect.promise(() => worker.peer.polled)
        yield* Effect.sleep("400 millis")
        assert.strictEqual(worker.peer.requests.filter(({ method }) => method === "POST").length, 0)
        worker.readOutput()
        yield* Effect.promise(() => answered)
        yield* eventually("all output is read", Effect.sync(worker.output), (text) =>
          text.endsWith("line 100000\nand a rest")
        )
      })
    )

    promises("answers over a new connection when the old one broke during the call", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.sleeps")
        const { answered } = worker.peer.call({ ms: 150 })
        yield* Effect.promise(() => worker.peer.polled)
        yield* Effect.sleep("60 millis")
        worker.peer.cut()
        assert.strictEqual((yield* Effect.promise(() => answered)).body.toString(), '"slept"')
        assert.strictEqual(resultOf(yield* worker.invoke({ ms: 1 })), "slept")
      })
    )

    promises("polls again when the Runtime API comes back within two seconds", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.echo")
        yield* Effect.promise(() => worker.peer.polled)
        yield* Effect.promise(() => worker.peer.stop())
        yield* Effect.sleep("700 millis")
        yield* Effect.promise(() => worker.peer.listen())
        assert.strictEqual(resultOf(yield* worker.invoke("back")), "back")
      })
    )

    promises("outlives one absence after another, with time between them", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.echo")
        yield* Effect.promise(() => worker.peer.polled)
        for (const presentMs of [2100, 1]) {
          yield* Effect.promise(() => worker.peer.stop())
          yield* Effect.sleep("300 millis")
          yield* Effect.promise(() => worker.peer.listen())
          yield* Effect.sleep(presentMs + 200)
        }
        assert.strictEqual(resultOf(yield* worker.invoke("still here")), "still here")
      })
    )

    promises("ends by itself when the Runtime API is gone for two seconds", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.echo")
        yield* Effect.promise(() => worker.peer.polled)
        const goneAt = performance.now()
        yield* Effect.promise(() => worker.peer.stop())
        assert.deepStrictEqual(yield* worker.exit, { kind: "exit", code: 0, signal: null })
        const lastedMs = performance.now() - goneAt
        assert.isTrue(lastedMs > 1900 && lastedMs < 4000, `it lasted ${lastedMs} ms`)
      })
    )

    promises("waits longer where it is told to, and tells the function nothing of it", (start) =>
      Effect.gen(function* () {
        const environment = { ESB_LISTENER_PATIENCE_SECONDS: "60" }
        const worker = yield* start("common.context", { environment })
        yield* Effect.promise(() => worker.peer.polled)
        yield* Effect.promise(() => worker.peer.stop())
        yield* Effect.sleep("2800 millis")
        yield* Effect.promise(() => worker.peer.listen())
        assert.deepInclude(resultOf(yield* worker.invoke({})), { patience: null })
      })
    )

    promises("ends when its poll is refused, and says why", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.echo", { environment: { ESB_WORKER_TOKEN: "refuse" } })
        assert.deepStrictEqual(yield* worker.exit, { kind: "exit", code: 1, signal: null })
        assert.include(worker.output(), "the Runtime API answered 403 to a poll")
      })
    )

    promises("goes on after an answer that came too late", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.sleeps")
        worker.peer.call({ ms: 100 })
        yield* Effect.promise(() => worker.peer.polled)
        worker.peer.forget()
        assert.strictEqual(resultOf(yield* worker.invoke({ ms: 1 })), "slept")
        assert.include(worker.output(), "The Runtime API refused an answer with 400")
      })
    )

    promises("ends at once on SIGTERM", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("common.echo")
        yield* Effect.promise(() => worker.peer.polled)
        process.kill(worker.pid, "SIGTERM")
        assert.deepStrictEqual(yield* worker.exit, { kind: "exit", code: null, signal: "SIGTERM" })
      })
    )
  })
