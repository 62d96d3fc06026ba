/**
 * What is deployed, as it stands in `functions.yml` and `routing.yml`. What a function leaves out comes from `defaults`
 * of its file, then from the Gateway.
 */
import { Result } from "effect"
import type { FunctionName } from "./FunctionName.ts"
import type { FunctionSpec, Scaling, ScheduleSpec } from "./FunctionSpec.ts"
import {
  type Environment,
  type FunctionEntry,
  type FunctionsFile,
  ManifestInvalid,
  readFunctions,
  readRouting,
  type RouteEntry,
  type ScheduleEntry
} from "./ManifestFile.ts"
import type { Route } from "./Route.ts"

/** What the Gateway assumes where a file says nothing. */
export interface Defaults {
  readonly scaling: Scaling
  /** The image of a function that names none; without this, such a function is refused. */
  readonly image?: ((name: FunctionName) => string) | undefined
}

const defaultTimeoutMs = 300_000
const defaultMemoryMiB = 128
const defaultRetries = 2
const defaultMaxAgeMs = 6 * 3_600_000

const milliseconds = (seconds: number): number => Math.round(seconds * 1000)

/** Of what is written in order of precedence, the first that is. */
const scalingOf = (written: ReadonlyArray<FunctionEntry["scaling"]>, fallback: Scaling): Scaling => {
  const first = (key: keyof NonNullable<FunctionEntry["scaling"]>): number | undefined =>
    written.map((scaling) => scaling?.[key] ?? undefined).find((value) => value !== undefined)
  const idle = first("idle_timeout")
  const acquire = first("acquire_timeout")
  const minCapacity = first("min_capacity") ?? fallback.minCapacity
  return {
    minCapacity,
    // Who asks for more than the Gateway's usual maximum from the start means it.
    maxCapacity: first("max_capacity") ?? Math.max(fallback.maxCapacity, minCapacity),
    idleTimeoutMs: idle === undefined ? fallback.idleTimeoutMs : milliseconds(idle),
    acquireTimeoutMs: acquire === undefined ? fallback.acquireTimeoutMs : milliseconds(acquire)
  }
}

const environmentOf = (...written: ReadonlyArray<Environment | null | undefined>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    written
      .flatMap((environment) => Object.entries(environment ?? {}))
      .map(([name, value]) => [name, value === null ? "" : String(value)])
  )

const scheduleOf = ({ expression, input, rate }: ScheduleEntry): ScheduleSpec => ({
  expression: rate ?? expression ?? "",
  input: input === undefined || input === null ? undefined : typeof input === "string" ? input : JSON.stringify(input)
})

const problem = (message: string, ...path: ReadonlyArray<string>) =>
  Result.fail(new ManifestInvalid({ problems: [{ path, message }] }))

const specOf = (
  name: FunctionName,
  entry: FunctionEntry,
  file: FunctionsFile,
  defaults: Defaults
): Result.Result<FunctionSpec, ManifestInvalid> => {
  const scaling = scalingOf([entry.scaling, file.defaults?.scaling], defaults.scaling)
  const image = entry.image ?? defaults.image?.(name)
  if (image === undefined) {
    return problem("missing", "functions", name, "image")
  }
  if (scaling.minCapacity > scaling.maxCapacity) {
    return problem(
      `min_capacity ${scaling.minCapacity} is more than max_capacity ${scaling.maxCapacity}`,
      "functions",
      name,
      "scaling"
    )
  }
  const { asynchronous } = entry
  return Result.succeed({
    name,
    image,
    runtime: entry.runtime ?? undefined,
    handler: entry.handler ?? undefined,
    timeoutMs: typeof entry.timeout === "number" ? milliseconds(entry.timeout) : defaultTimeoutMs,
    memoryMiB: entry.memory_size ?? defaultMemoryMiB,
    environment: environmentOf(file.defaults?.environment, entry.environment),
    scaling,
    asynchronous: {
      retries: asynchronous?.retries ?? defaultRetries,
      maxAgeMs: typeof asynchronous?.max_age === "number" ? milliseconds(asynchronous.max_age) : defaultMaxAgeMs,
      onSuccess: asynchronous?.on_success ?? undefined,
      onFailure: asynchronous?.on_failure ?? undefined
    },
    schedules: (entry.events ?? []).map(({ schedule }) => scheduleOf(schedule))
  })
}

/** The functions of a parsed `functions.yml`, in its order. */
export const decodeFunctions = (
  value: unknown,
  defaults: Defaults
): Result.Result<ReadonlyArray<FunctionSpec>, ManifestInvalid> =>
  Result.flatMap(readFunctions(value), (file) =>
    Result.all(
      Object.entries(file.functions ?? {}).map(([name, entry]) => specOf(name as FunctionName, entry, file, defaults))
    )
  )

const routeOf = (entry: RouteEntry): Route => ({
  method: (entry.method ?? "").toUpperCase() || "GET",
  path: entry.path,
  functionName: typeof entry.function === "string" ? entry.function : entry.function.container,
  authorization: entry.authorization ?? undefined
})

/** The routes of a parsed `routing.yml`, in its order. Entries without a path, as schedules once left them, answer nothing. */
export const decodeRoutes = (value: unknown): Result.Result<ReadonlyArray<Route>, ManifestInvalid> =>
  Result.map(readRouting(value), (file) => (file.routes ?? []).filter(({ path }) => path !== "").map(routeOf))

type Present<A> = { readonly [K in keyof A]?: Exclude<A[K], undefined> }

/** Only the keys that have a value. */
const present = <A extends object>(entries: A): Present<A> =>
  Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)) as Present<A>

const functionEntry = (spec: FunctionSpec) =>
  present({
    image: spec.image,
    runtime: spec.runtime,
    handler: spec.handler,
    timeout: spec.timeoutMs / 1000,
    memory_size: spec.memoryMiB,
    environment: spec.environment,
    scaling: {
      min_capacity: spec.scaling.minCapacity,
      max_capacity: spec.scaling.maxCapacity,
      idle_timeout: spec.scaling.idleTimeoutMs / 1000,
      acquire_timeout: spec.scaling.acquireTimeoutMs / 1000
    },
    asynchronous: present({
      retries: spec.asynchronous.retries,
      max_age: spec.asynchronous.maxAgeMs / 1000,
      on_success: spec.asynchronous.onSuccess,
      on_failure: spec.asynchronous.onFailure
    }),
    events:
      spec.schedules.length === 0
        ? undefined
        : spec.schedules.map(({ expression, input }) => ({ schedule: present({ rate: expression, input }) }))
  })

/** What `functions.yml` says of these functions; {@link decodeFunctions} of it gives them back. */
export const encodeFunctions = (functions: ReadonlyArray<FunctionSpec>) => ({
  functions: Object.fromEntries(functions.map((spec) => [spec.name, functionEntry(spec)]))
})

/** What `routing.yml` says of these routes; {@link decodeRoutes} of it gives them back. */
export const encodeRoutes = (routes: ReadonlyArray<Route>) => ({
  routes: routes.map(({ authorization, functionName, method, path }) =>
    present({ path, method, function: functionName, authorization })
  )
})
