import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Deferred, Effect, Exit, Fiber, Layer, Logger, Metric, Scope } from "effect"
import { TestClock } from "effect/testing"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { request } from "undici"
import * as Metrics from "#layers/telemetry/Metrics"
import { eventually } from "#test/support/Eventually"
import { type Family, parse, valueOf } from "#test/support/Exposition"
import { exchange } from "#test/support/RawSocket"

const host = "127.0.0.1"

/** Metrics on a port of their own, of a program that has counted nothing yet, until the scope ends. */
const serve = Effect.fnUntraced(function* <E>(figures: Effect.Effect<void, E> = Effect.void, port = 0) {
  const context = yield* Layer.build(Metrics.layer({ host, port, figures }))
  return `http://${host}:${Context.get(context, Metrics.Metrics).port}`
})

const ask = (url: string, method: "GET" | "HEAD" | "POST" = "GET") =>
  Effect.promise(async () => {
    const { body, headers, statusCode } = await request(url, { method, body: method === "POST" ? "a body" : null })
    return { status: statusCode, type: headers["content-type"], text: await body.text() }
  })

const scrape = (origin: string): Effect.Effect<ReadonlyMap<string, Family>> =>
  Effect.map(ask(`${origin}/metrics`), ({ text }) => parse(text))

/** A registry of its own, so that tests count apart. */
const alone = <A, E, R>(test: Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.provideService(test, Metric.MetricRegistry, new Map()))

const logged = () => {
  const lines: Array<string> = []
  const layer = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
  return { lines, layer }
}

/** Real time, for what happens on a socket while a test holds the clock. */
const soon = TestClock.withLive(Effect.sleep(50))

describe("Metrics", () => {
  it.live("answers on every path and to every method, in Prometheus's text format", () =>
    alone(
      Effect.gen(function* () {
        const origin = yield* serve()
        for (const path of ["/metrics", "/", "/some/where?else"]) {
          const answer = yield* ask(origin + path)
          assert.strictEqual(answer.status, 200)
          assert.match(String(answer.type), /^text\/plain; version=0\.0\.4/)
          parse(answer.text)
        }
        parse((yield* ask(origin, "POST")).text)
        assert.deepInclude(yield* ask(origin, "HEAD"), { status: 200, text: "" })
      })
    )
  )

  it.live("says on /health whether calls are taken, from when it knows whom to ask", () =>
    alone(
      Effect.gen(function* () {
        const context = yield* Layer.build(Metrics.layer({ host, port: 0, figures: Effect.void }))
        const { port, tellHealth } = Context.get(context, Metrics.Metrics)
        const health = Effect.map(ask(`http://${host}:${port}/health`), ({ status, text }) => [status, text])
        let isServing = true
        assert.deepStrictEqual(yield* health, [503, "NOT_SERVING\n"])
        tellHealth(Effect.sync(() => isServing))
        assert.deepStrictEqual(yield* health, [200, "SERVING\n"])
        isServing = false
        assert.deepStrictEqual(yield* health, [503, "NOT_SERVING\n"])
        parse((yield* ask(`http://${host}:${port}/healthy`)).text)
      })
    )
  )

  it.live("tells what the process uses", () =>
    alone(
      Effect.gen(function* () {
        const origin = yield* serve()
        yield* Effect.sleep(50)
        const families = yield* scrape(origin)
        const now = (yield* Clock.currentTimeMillis) / 1000
        assert.isAbove(valueOf(families, "process_cpu_seconds_total") ?? 0, 0)
        assert.isAbove(valueOf(families, "process_resident_memory_bytes") ?? 0, 10e6)
        assert.isAtMost(Math.abs(now - process.uptime() - (valueOf(families, "process_start_time_seconds") ?? 0)), 5)
        const [major, minor, patch] = process.versions.node.split(".") as [string, string, string]
        assert.strictEqual(
          valueOf(families, "nodejs_version_info", { version: process.version, major, minor, patch }),
          1
        )
        assert.isAtLeast(valueOf(families, "nodejs_eventloop_lag_max_seconds") ?? -1, 0)
        assert.isAbove(valueOf(families, "nodejs_eventloop_active_seconds_total") ?? 0, 0)
        if (process.platform === "linux") {
          assert.isAbove(valueOf(families, "process_open_fds") ?? 0, 2)
          assert.isAbove(valueOf(families, "process_max_fds") ?? 0, 2)
        }
      })
    )
  )

  it.live("tells what the program has counted, whatever its labels say", () =>
    alone(
      Effect.gen(function* () {
        const odd = { function: 'back\\slash "quoted"\nline, {} = é', outcome: "" }
        const calls = Metric.counter("odd_calls_total", { description: "A \\ and\na line.", incremental: true })
        const seconds = Metric.histogram("odd_seconds", { description: "Seconds.", boundaries: [0.5, 0.1, 1] })
        yield* Metric.update(Metric.withAttributes(calls, odd), 2)
        yield* Metric.update(Metric.withAttributes(calls, { function: "plain" }), 3)
        for (const took of [0.05, 0.1, 0.7, 7]) {
          yield* Metric.update(Metric.withAttributes(seconds, odd), took)
        }
        const families = yield* Effect.flatMap(serve(), scrape)
        assert.strictEqual(valueOf(families, "odd_calls_total", odd), 2)
        assert.strictEqual(valueOf(families, "odd_calls_total", { function: "plain" }), 3)
        assert.deepStrictEqual(
          ["0.1", "0.5", "1", "+Inf"].map((le) => valueOf(families, "odd_seconds_bucket", { ...odd, le })),
          [2, 2, 3, 4]
        )
      })
    )
  )

  it.live("tells what is set for an answer in that answer only", () =>
    alone(
      Effect.gen(function* () {
        const workers = Metric.gauge("some_workers", { description: "Workers." })
        const names = ["a", "b"]
        const origin = yield* serve(
          Effect.suspend(() => Metric.update(Metric.withAttributes(workers, { function: names.shift() ?? "none" }), 1))
        )
        assert.strictEqual(valueOf(yield* scrape(origin), "some_workers", { function: "a" }), 1)
        yield* Effect.sleep(1_000)
        const later = yield* scrape(origin)
        assert.deepStrictEqual(
          later.get("some_workers")?.samples.map(({ labels }) => labels["function"]),
          ["b"]
        )
        assert.strictEqual(valueOf(later, "esb_metrics_complete"), 1)
      })
    )
  )

  it.live("collects once for all who ask at the same time, also when one of them goes", () => {
    const log = logged()
    return alone(
      Effect.gen(function* () {
        const enough = yield* Deferred.make<void>()
        let collections = 0
        const origin = yield* serve(
          Effect.andThen(
            Effect.sync(() => (collections += 1)),
            Deferred.await(enough)
          )
        )
        const url = new URL(origin)
        const goes = yield* Effect.forkChild(exchange(origin, `GET / HTTP/1.1\r\nhost: ${url.host}\r\n\r\n`))
        yield* eventually(
          "it is asked",
          Effect.sync(() => collections),
          (count) => count === 1
        )
        const stays = yield* Effect.forkChild(Effect.all([scrape(origin), scrape(origin)], { concurrency: 2 }))
        yield* Effect.sleep(50)
        yield* Fiber.interrupt(goes)
        yield* Effect.sleep(50)
        yield* Deferred.succeed(enough, undefined)
        const [first] = yield* Fiber.join(stays)
        assert.strictEqual(valueOf(first, "esb_metrics_complete"), 1)
        assert.strictEqual(collections, 1)
        assert.deepStrictEqual(log.lines, [])
      })
    ).pipe(Effect.provide(log.layer))
  })

  it.effect("leaves out what cannot be had within five seconds, and says so", () =>
    alone(
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const origin = yield* serve(Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
        const asked = yield* Effect.forkChild(scrape(origin))
        yield* Deferred.await(begun)
        yield* TestClock.adjust(5_000)
        const families = yield* Fiber.join(asked)
        assert.strictEqual(valueOf(families, "esb_metrics_complete"), 0)
        assert.isDefined(valueOf(families, "process_resident_memory_bytes"))
      })
    )
  )

  it.live("tells the rest when figures fail, and the log why", () => {
    const log = logged()
    return alone(
      Effect.gen(function* () {
        const families = yield* Effect.flatMap(serve(Effect.fail("no engine")), scrape)
        assert.strictEqual(valueOf(families, "esb_metrics_complete"), 0)
        assert.isDefined(valueOf(families, "process_resident_memory_bytes"))
        assert.match(log.lines.join("\n"), /figures could not be had/)
      })
    ).pipe(Effect.provide(log.layer))
  })

  it.live("says in the log that its port is taken, and lets the program run on", () => {
    const log = logged()
    return alone(
      Effect.gen(function* () {
        const taken = yield* Effect.acquireRelease(
          Effect.callback<AddressInfo & { readonly close: () => void }>((resume) => {
            const server = createServer()
            server.listen(0, host, () =>
              resume(Effect.succeed({ ...(server.address() as AddressInfo), close: () => server.close() }))
            )
          }),
          ({ close }) => Effect.sync(close)
        )
        const context = yield* Layer.build(Metrics.layer({ host, port: taken.port, figures: Effect.void }))
        assert.isUndefined(Context.get(context, Metrics.Metrics).port)
        assert.match(log.lines.join("\n"), new RegExp(`port ${taken.port}: .*EADDRINUSE`))
      })
    ).pipe(Effect.provide(log.layer))
  })

  it.live("does not wait longer than five seconds for the headers of a request", () =>
    alone(
      Effect.gen(function* () {
        const origin = yield* serve()
        const beganAt = performance.now()
        const answer = yield* exchange(origin, "GET /metrics HTTP/1.1\r\nhost: ")
        const tookMs = performance.now() - beganAt
        assert.match(answer, /^HTTP\/1\.1 408 /)
        assert.isAtLeast(tookMs, 4_900)
        assert.isAtMost(tookMs, 8_000)
      })
    )
  )

  it.live("answers to the end whom it has let in when it ends", () =>
    alone(
      Effect.gen(function* () {
        const enough = yield* Deferred.make<void>()
        const scope = yield* Scope.make()
        const begun = yield* Deferred.make<void>()
        const collect = Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(enough))
        const origin = yield* Scope.provide(serve(collect), scope)
        const asked = yield* Effect.forkChild(scrape(origin))
        yield* Deferred.await(begun)
        const ending = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* Effect.sleep(50)
        yield* Deferred.succeed(enough, undefined)
        assert.strictEqual(valueOf(yield* Fiber.join(asked), "esb_metrics_complete"), 1)
        yield* Effect.timeout(Fiber.join(ending), "2 seconds")
      })
    )
  )

  it.effect("ends within five seconds, whoever is still connected", () =>
    alone(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const origin = yield* Scope.provide(serve(), scope)
        yield* Effect.forkChild(exchange(origin, "GET / HTTP/1.1\r\n"))
        yield* soon
        const ending = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* soon
        assert.isUndefined(ending.pollUnsafe())
        yield* TestClock.adjust(5_000)
        yield* Fiber.join(ending)
      })
    )
  )
})
