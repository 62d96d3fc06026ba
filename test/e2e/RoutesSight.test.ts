/** What a stack tells of itself: health, pools, containers, functions, routes, its API description and its access log. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as RoutedStack from "#test/support/RoutedStack"

const page = Effect.fnUntraced(function* (target: string) {
  const stack = yield* RoutedStack.RoutedStack
  const answer = yield* stack.askWithToken({ target })
  assert.strictEqual(answer.status, 200, answer.text)
  assert.strictEqual(answer.header("content-type"), "application/json")
  return answer.json()
})

const isoInstant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/

interface Operation {
  readonly operationId: string
  readonly parameters?: ReadonlyArray<{ readonly name: string; readonly in: string; readonly required: boolean }>
  readonly responses: Readonly<Record<string, { readonly description: string }>>
  readonly security?: ReadonlyArray<Readonly<Record<string, unknown>>>
}

interface ApiDescription {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly securitySchemes: Readonly<Record<string, unknown>> }
}

/** The names between braces of a path. */
const namesIn = (path: string) => [...path.matchAll(/\{([^{}]+)\}/g)].map(([, name]) => name ?? "")

it.layer(RoutedStack.layer({ sample: "routes" }), RoutedStack.live)("A stack tells", (it) => {
  it.effect("that it is well", () =>
    Effect.gen(function* () {
      const health = (yield* page("/health")) as { readonly status: string; readonly timestamp: string }
      assert.strictEqual(health.status, "healthy")
      assert.match(health.timestamp, isoInstant)
      assert.isBelow(Math.abs(Date.now() - Date.parse(health.timestamp)), 5_000)
    })
  )

  it.effect("that it has no containers before the first call, and each of them afterwards", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      assert.deepStrictEqual(yield* page("/metrics/containers"), { containers: [] })
      yield* stack.ask({ target: "/orders" })
      const { containers, failures } = (yield* page("/metrics/containers")) as {
        readonly containers: ReadonlyArray<Readonly<Record<string, unknown>>>
        readonly failures: number
      }
      const [container = {}, ...others] = containers
      assert.strictEqual(failures, 0)
      assert.strictEqual(others.length, 0)
      assert.strictEqual(container["function_name"], "orders")
      assert.strictEqual(container["state"], "RUNNING")
      assert.strictEqual(container["memory_max"], 128 * 1024 ** 2)
      assert.isAbove(container["memory_current"] as number, 1024 ** 2)
      assert.isAbove(container["cpu_usage_ns"] as number, 0)
    })
  )

  it.effect("how full its pools are, by name", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      yield* stack.ask({ target: "/single/0" })
      const { collected_at, pools } = (yield* page("/metrics/pools")) as {
        readonly collected_at: string
        readonly pools: ReadonlyArray<{ readonly function_name: string }>
      }
      assert.match(collected_at, isoInstant)
      const names = pools.map(({ function_name }) => function_name)
      assert.deepStrictEqual(names, names.toSorted())
      assert.deepStrictEqual(
        pools.find(({ function_name }) => function_name === "single"),
        {
          function_name: "single",
          total_workers: 1,
          idle: 1,
          busy: 0,
          provisioning: 0,
          waiting: 0,
          max_capacity: 1,
          min_capacity: 0,
          acquire_timeout: 2
        } as { readonly function_name: string }
      )
    })
  )

  it.effect("its functions and its routes", () =>
    Effect.gen(function* () {
      const told = (yield* page("/functions")) as {
        readonly functions: Readonly<Record<string, Readonly<Record<string, unknown>>>>
        readonly count: number
      }
      assert.strictEqual(told.count, Object.keys(told.functions).length)
      assert.match(told.functions["hanging"]?.["image"] as string, /^artifact:sha256:[0-9a-f]{64}$/)
      assert.deepInclude(told.functions["hanging"], { runtime: "nodejs24.x", handler: "routes.hang", timeout: 1 })
      const { count, routes } = (yield* page("/routes")) as {
        readonly routes: ReadonlyArray<unknown>
        readonly count: number
      }
      assert.strictEqual(count, routes.length)
      assert.deepInclude(routes, { path: "/orders/{id}", method: "ANY", function: "orders" })
      assert.deepInclude(routes, { path: "/account", method: "GET", function: "account", authorization: "jwt" })
    })
  )

  it.effect("its API, in a description that is valid", () =>
    Effect.gen(function* () {
      const { components, info, openapi, paths } = (yield* page("/openapi.json")) as ApiDescription
      assert.match(openapi, /^3\.1\.\d$/)
      assert.isNotEmpty(info.title)
      assert.isNotEmpty(info.version)
      const ids = new Set<string>()
      const templates = new Set<string>()
      for (const [path, operations] of Object.entries(paths)) {
        assert.match(path, /^\//)
        const template = path.replace(/\{[^}]+\}/g, "{}")
        assert.isFalse(templates.has(template), `${path} is there twice`)
        templates.add(template)
        for (const [method, operation] of Object.entries(operations)) {
          const what = `${method} ${path}`
          assert.include(["get", "post", "put", "delete", "patch", "head"], method, what)
          assert.isFalse(ids.has(operation.operationId), `${what}: ${operation.operationId} is used twice`)
          ids.add(operation.operationId)
          const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === "path")
          assert.deepStrictEqual(inPath.map(({ name }) => name).toSorted(), namesIn(path).toSorted(), what)
          assert.isTrue(
            inPath.every(({ required }) => required),
            what
          )
          assert.isNotEmpty(Object.keys(operation.responses), what)
          for (const [status, { description }] of Object.entries(operation.responses)) {
            assert.match(status, /^[1-5]\d\d$/, what)
            assert.isNotEmpty(description, what)
          }
          for (const scheme of (operation.security ?? []).flatMap(Object.keys)) {
            assert.property(components.securitySchemes, scheme, what)
          }
        }
      }
    })
  )

  it.effect("which of its routes want a token", () =>
    Effect.gen(function* () {
      const { paths } = (yield* page("/openapi.json")) as ApiDescription
      assert.deepStrictEqual(paths["/account"]?.["get"]?.security, [{ bearerAuth: [] }])
      assert.isUndefined(paths["/orders"]?.["get"]?.security)
      assert.hasAllKeys(paths["/files/{proxy}"], ["get", "post", "put", "delete", "patch", "head"])
    })
  )

  it.effect("of every request, in a line that `esb logs` finds by its request id", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const calls: ReadonlyArray<readonly [string, string, number]> = [
        ["GET", "/orders/7?secret=1", 200],
        ["POST", "/nobody", 404],
        ["GET", "/fail", 502],
        ["GET", "/account", 401]
      ]
      for (const [method, target, status] of calls) {
        const answer = yield* stack.ask({ method, target })
        const requestId = answer.header("x-amzn-requestid") ?? ""
        assert.strictEqual(answer.status, status)
        const { code, stdout } = yield* stack.esb("logs", "--json", "--request", requestId)
        assert.strictEqual(code, 0)
        const records = stdout
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
        assert.isTrue(records.every((record) => record["requestId"] === requestId))
        const access = records.find(({ source }) => source === "system")
        const path = target.replace(/\?.*/, "")
        assert.match(
          String(access?.["message"]),
          new RegExp(`^${method} ${path} ${status} [\\d.]+ ms 127\\.0\\.0\\.1$`)
        )
        assert.strictEqual(access?.["traceId"], answer.header("x-amzn-trace-id"))
      }
    })
  )

  it.effect("with the access line what the function wrote during the call", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const answer = yield* stack.ask({ target: "/orders/8" })
      const requestId = answer.header("x-amzn-requestid") ?? ""
      const { stdout } = yield* stack.esb("logs", "--json", "--request", requestId)
      for (const part of ["called /orders/8", `START RequestId: ${requestId}`, `REPORT RequestId: ${requestId}`]) {
        assert.include(stdout, part)
      }
    })
  )
})
