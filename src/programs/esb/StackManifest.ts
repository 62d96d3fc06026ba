/** The files that tell a Gateway what is deployed, made from a stack whose code has been built. */
import { isImage, type Stack, type StackFunction } from "#domain/Stack"

/** A key only where there is a value: what the template leaves open is the Gateway's to decide. */
const given = <K extends string, A>(key: K, value: A | undefined): { readonly [P in K]?: A } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: A }

const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000)

const whole = <A extends object>(entry: A): A | undefined => (Object.keys(entry).length === 0 ? undefined : entry)

/** As `sam build`: who asks for source maps gets stacks that go by them. */
const environmentOf = ({ code, environment }: StackFunction) =>
  code._tag === "Zip" && code.buildProperties["Sourcemap"] === true && environment["NODE_OPTIONS"] === undefined
    ? { ...environment, NODE_OPTIONS: "--enable-source-maps" }
    : environment

const entryOf = (each: StackFunction, image: string) => ({
  image,
  ...(isImage(each.code) ? {} : { runtime: each.code.runtime, handler: each.code.handler }),
  timeout: each.timeoutMs / 1000,
  memory_size: each.memoryMiB,
  ...given("environment", whole(environmentOf(each))),
  ...given(
    "scaling",
    whole({ ...given("min_capacity", each.minCapacity), ...given("max_capacity", each.maxCapacity) })
  ),
  ...given(
    "asynchronous",
    whole({
      ...given("retries", each.asynchronous.retries),
      ...given("max_age", seconds(each.asynchronous.maxAgeMs)),
      ...given("on_success", each.asynchronous.onSuccess),
      ...given("on_failure", each.asynchronous.onFailure)
    })
  ),
  ...given(
    "events",
    each.schedules.length === 0
      ? undefined
      : each.schedules.map(({ expression, input }) => ({ schedule: { rate: expression, ...given("input", input) } }))
  )
})

/** `images` names the code of each function. */
export const make = (stack: Stack, images: ReadonlyMap<string, string>) => ({
  functions: {
    functions: Object.fromEntries(
      stack.functions.map((each) => [each.name, entryOf(each, images.get(each.name) ?? "")])
    )
  },
  routing: {
    routes: stack.routes.map(({ authorization, functionName, method, path }) => ({
      path,
      method,
      function: functionName,
      ...given("authorization", authorization)
    }))
  },
  resources: { resources: { dynamodb: stack.tables, s3: stack.buckets } }
})
export type StackManifest = ReturnType<typeof make>
