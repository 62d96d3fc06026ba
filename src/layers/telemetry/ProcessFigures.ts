/** What this process uses of its host, under the names that Prometheus's own client libraries give it. */
import { readdir, readFile } from "node:fs/promises"
import { monitorEventLoopDelay, performance } from "node:perf_hooks"
import { Effect, Metric, type Scope } from "effect"

const gauge = (name: string, description: string) => Metric.gauge(name, { description })
const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

const cpu = counter("process_cpu_seconds_total", "Seconds of CPU time used, by user and system.")
const resident = gauge("process_resident_memory_bytes", "Bytes of resident memory.")
const startTime = gauge("process_start_time_seconds", "Unix time of the start, in seconds.")
const openFiles = gauge("process_open_fds", "Open file descriptors.")
const mostFiles = gauge("process_max_fds", "Most file descriptors that may be open.")
const heapUsed = gauge("nodejs_heap_size_used_bytes", "Bytes of the heap in use.")
const heapTotal = gauge("nodejs_heap_size_total_bytes", "Bytes of the heap.")
const external = gauge("nodejs_external_memory_bytes", "Bytes outside of the heap that belong to its objects.")
const lagMean = gauge("nodejs_eventloop_lag_mean_seconds", "How late timers were since the last answer: mean.")
const lagP99 = gauge("nodejs_eventloop_lag_p99_seconds", "How late timers were since the last answer: 99th percentile.")
const lagMax = gauge("nodejs_eventloop_lag_max_seconds", "How late timers were since the last answer: most.")
const active = counter("nodejs_eventloop_active_seconds_total", "Seconds that the event loop was not idle.")
const version = gauge("nodejs_version_info", "Version of Node.js; the value is always 1.")

/** How often the event loop is timed. */
const resolutionMs = 10

const eventLoopDelay = Effect.acquireRelease(
  Effect.sync(() => {
    const delay = monitorEventLoopDelay({ resolution: resolutionMs })
    delay.enable()
    return delay
  }),
  (delay) => Effect.sync(() => delay.disable())
)

/** Only Linux tells it of a process without the help of another. */
const files =
  process.platform === "linux"
    ? Effect.gen(function* () {
        const open = yield* Effect.tryPromise(() => readdir("/proc/self/fd"))
        yield* Metric.update(openFiles, open.length)
        const limits = yield* Effect.tryPromise(() => readFile("/proc/self/limits", "latin1"))
        const [, most] = /^Max open files\s+(\d+)/m.exec(limits) ?? []
        if (most !== undefined) {
          yield* Metric.update(mostFiles, Number(most))
        }
        // A host that hides /proc has no such figures.
      }).pipe(Effect.ignore)
    : Effect.void

const use = Effect.gen(function* () {
  const { system, user } = process.cpuUsage()
  yield* Metric.update(cpu, (system + user) / 1e6)
  const { external: externalBytes, heapTotal: totalBytes, heapUsed: usedBytes, rss } = process.memoryUsage()
  yield* Metric.update(resident, rss)
  yield* Metric.update(heapUsed, usedBytes)
  yield* Metric.update(heapTotal, totalBytes)
  yield* Metric.update(external, externalBytes)
  yield* Metric.update(active, performance.eventLoopUtilization().active / 1000)
})

const [major = "", minor = "", patch = ""] = process.versions.node.split(".")
const identity = Effect.gen(function* () {
  yield* Metric.update(startTime, performance.timeOrigin / 1000)
  yield* Metric.update(Metric.withAttributes(version, { version: process.version, major, minor, patch }), 1)
})

/** Sets these figures in the registry of whoever runs it. The event loop is watched until the scope ends. */
export const make: Effect.Effect<Effect.Effect<void>, never, Scope.Scope> = Effect.map(eventLoopDelay, (delay) => {
  const lateSeconds = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - resolutionMs / 1000)
  const lag = Effect.suspend(() => {
    if (delay.count === 0) {
      return Effect.void
    }
    const figures = [
      Metric.update(lagMean, lateSeconds(delay.mean)),
      Metric.update(lagP99, lateSeconds(delay.percentile(99))),
      Metric.update(lagMax, lateSeconds(delay.max))
    ]
    delay.reset()
    return Effect.all(figures, { discard: true })
  })
  return Effect.all([identity, use, lag, files], { discard: true })
})
