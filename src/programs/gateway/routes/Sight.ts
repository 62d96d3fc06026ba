/** What the Gateway tells of itself: health, pools, containers, functions, routes, and an OpenAPI document of them. */
import { Clock, Effect } from "effect"
import { HttpRouter } from "effect/http"
import * as Manifest from "#domain/Manifest"
import * as OpenApi from "#domain/OpenApi"
import type { RouteAuthentication } from "#domain/Route"
import type { OwnerId } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { FunctionCatalog } from "#services/FunctionCatalog"
import { type PoolStatus, WorkerPool } from "#services/WorkerPool"
import type * as Exchange from "../Exchange.ts"
import * as Pages from "../Pages.ts"
import * as Respond from "../Respond.ts"

const isoNow = Effect.map(Clock.currentTimeMillis, (nowMs) => new Date(nowMs).toISOString().replace("Z", "+00:00"))

const poolLine = (pool: PoolStatus) => ({
  function_name: pool.functionName,
  total_workers: pool.idle + pool.busy + pool.starting,
  idle: pool.idle,
  busy: pool.busy,
  provisioning: pool.starting,
  waiting: pool.waiting,
  max_capacity: pool.maxCapacity,
  min_capacity: pool.minCapacity,
  acquire_timeout: pool.acquireTimeoutMs / 1000
})

export const layer = (options: {
  readonly owner: OwnerId
  readonly authEndpointPath: string
  readonly authentication: RouteAuthentication
  readonly version: string
}) =>
  HttpRouter.use(() =>
    Effect.gen(function* () {
      const pages = yield* Pages.make
      const catalog = yield* FunctionCatalog
      const pool = yield* WorkerPool
      const runtime = yield* ContainerRuntime

      const measured = (id: { readonly id: Parameters<typeof runtime.metrics>[0]; readonly name: string }) =>
        Effect.match(runtime.metrics(id.id, options.owner), {
          onSuccess: (metrics) => ({
            container_id: metrics.containerId,
            function_name: metrics.functionName,
            container_name: metrics.containerName,
            state: metrics.status,
            memory_current: metrics.memoryBytes,
            memory_max: metrics.memoryLimitBytes,
            oom_events: metrics.oomEvents,
            cpu_usage_ns: metrics.cpuNanoseconds,
            exit_code: metrics.exitCode,
            restart_count: 0,
            exit_time: metrics.exitedAtUnixSeconds,
            collected_at: metrics.collectedAtUnixSeconds
          }),
          onFailure: (failure) => ({ container_id: id.id, container_name: id.name, error: failure.message })
        })

      const containers = Effect.fnUntraced(function* (exchange: Exchange.Exchange) {
        const listed = yield* Effect.orElseSucceed(runtime.list(options.owner), () => undefined)
        if (listed === undefined) {
          return Respond.json(exchange, 503, { message: "Container metrics are unavailable from Agent runtime" })
        }
        if (listed.length === 0) {
          return Respond.json(exchange, 200, { containers: [] })
        }
        const lines = yield* Effect.forEach(listed, measured, { concurrency: 8 })
        const failures = lines.filter((line) => "error" in line).length
        return failures === lines.length
          ? Respond.json(exchange, 503, { message: "Container metrics are unavailable from Agent runtime" })
          : Respond.json(exchange, 200, { containers: lines, failures })
      })

      yield* pages.open("/health", (exchange) =>
        Effect.map(isoNow, (timestamp) => Respond.json(exchange, 200, { status: "healthy", timestamp }))
      )
      yield* pages.open("/openapi.json", (exchange) =>
        Effect.sync(() => {
          const { routes } = catalog.current().routes
          const { authEndpointPath, authentication, version } = options
          return Respond.json(exchange, 200, OpenApi.document({ routes, authEndpointPath, authentication, version }))
        })
      )
      yield* pages.guarded("/metrics/pools", (exchange) =>
        Effect.zipWith(pool.status, isoNow, (pools, collected_at) =>
          Respond.json(exchange, 200, { pools: pools.map(poolLine), collected_at })
        )
      )
      yield* pages.guarded("/metrics/containers", containers)
      yield* pages.guarded("/functions", (exchange) =>
        Effect.sync(() => {
          const { functions, revision } = catalog.current()
          return Respond.json(exchange, 200, {
            functions: Manifest.encodeFunctions([...functions.values()]).functions,
            count: functions.size,
            revision
          })
        })
      )
      yield* pages.guarded("/routes", (exchange) =>
        Effect.sync(() => {
          const { routes } = catalog.current().routes
          return Respond.json(exchange, 200, { routes: Manifest.encodeRoutes(routes).routes, count: routes.length })
        })
      )
    })
  )
