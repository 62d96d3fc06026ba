/**
 * The shape of `functions.yml` and `routing.yml`, key by key. Times are in seconds and memory in MiB, as on AWS. A key
 * without a value says nothing; a key that is not known here is refused by name.
 */
import { Result, Schema, type SchemaAST, SchemaIssue } from "effect"
import { FunctionName } from "./FunctionName.ts"
import { pathObjection } from "./Route.ts"

/** One thing that is wrong with a file, and the keys and positions that lead to it. */
const Problem = Schema.Struct({
  path: Schema.Array(Schema.Union([Schema.String, Schema.Int])),
  message: Schema.String
})
export type Problem = typeof Problem.Type

/** The file was read, but does not say what a file of its kind says. Holds everything that is wrong with it. */
export class ManifestInvalid extends Schema.TaggedError<ManifestInvalid>()("ManifestInvalid", {
  problems: Schema.NonEmptyArray(Problem)
}) {
  override get message() {
    return this.problems
      .map(({ message, path }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`))
      .join("\n")
  }
}

const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const Seconds = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Capacity = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

/** YAML reads `1` and `true` as themselves; a variable is text. A key without a value is empty text. */
const Environment = Schema.Record(
  Schema.String.check(Schema.isPattern(/^[A-Za-z_][A-Za-z0-9_]*$/)),
  Schema.NullOr(Schema.Union([Schema.String, Schema.Finite, Schema.Boolean]))
)
export type Environment = typeof Environment.Type

const Scaling = Schema.Struct({
  min_capacity: optional(Count),
  max_capacity: optional(Count),
  idle_timeout: optional(Seconds),
  acquire_timeout: optional(Seconds)
})

const Asynchronous = Schema.Struct({
  retries: optional(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 }))),
  max_age: optional(Seconds),
  on_success: optional(FunctionName),
  on_failure: optional(FunctionName)
})

/** `expression` is another name of `rate`; `input` is JSON text, or any value that becomes it. */
const ScheduleEntry = Schema.Struct({
  rate: optional(Schema.NonEmptyString),
  expression: optional(Schema.NonEmptyString),
  input: Schema.optionalKey(Schema.Unknown)
}).check(
  Schema.makeFilter(({ expression, rate }) =>
    (rate ?? undefined) === undefined && (expression ?? undefined) === undefined ? "rate is missing" : undefined
  )
)
export type ScheduleEntry = typeof ScheduleEntry.Type

const FunctionEntry = Schema.Struct({
  image: optional(Schema.NonEmptyString),
  runtime: optional(Schema.NonEmptyString),
  handler: optional(Schema.NonEmptyString),
  timeout: optional(Schema.Finite.check(Schema.isGreaterThan(0))),
  memory_size: optional(Capacity),
  environment: optional(Environment),
  scaling: optional(Scaling),
  asynchronous: optional(Asynchronous),
  events: optional(Schema.Array(Schema.Struct({ schedule: ScheduleEntry })))
})
export type FunctionEntry = typeof FunctionEntry.Type

const FunctionsFile = Schema.Struct({
  defaults: optional(Schema.Struct({ environment: optional(Environment), scaling: optional(Scaling) })),
  functions: optional(Schema.Record(FunctionName, FunctionEntry))
})
export type FunctionsFile = typeof FunctionsFile.Type

const methods: ReadonlySet<string> = new Set(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "ANY"])

const Method = Schema.String.check(
  Schema.makeFilter((method) =>
    method === "" || methods.has(method.toUpperCase()) ? undefined : `Expected one of ${[...methods].join(", ")}`
  )
)

/** Older files name the function by a map with `container`, and write schedules as routes without a path. */
const RouteEntry = Schema.Struct({
  path: Schema.String.check(Schema.makeFilter((path) => (path === "" ? undefined : pathObjection(path)))),
  method: optional(Method),
  function: Schema.Union([FunctionName, Schema.Struct({ container: FunctionName })]),
  authorization: optional(Schema.Literals(["none", "jwt"]))
})
export type RouteEntry = typeof RouteEntry.Type

const RoutingFile = Schema.Struct({ routes: optional(Schema.Array(RouteEntry)) })
export type RoutingFile = typeof RoutingFile.Type

const knownKeys = (ast: SchemaAST.AST): string =>
  ast._tag === "Objects" ? ast.propertySignatures.map(({ name }) => String(name)).join(", ") : ""

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => {
    switch (issue._tag) {
      case "UnexpectedKey": {
        const known = knownKeys(issue.ast)
        return known === "" ? "not a name that is allowed here" : `unknown key; known are ${known}`
      }
      case "MissingKey":
        return "missing"
      default:
        return SchemaIssue.defaultLeafHook(issue)
    }
  }
})

const problemsOf = (issue: SchemaIssue.Issue): ManifestInvalid["problems"] => {
  const [first = { message: "wrong" }, ...rest] = formatIssue(issue).issues
  const problem = ({ message, path = [] }: typeof first): Problem => ({
    message,
    path: path.map((step) => (typeof step === "number" ? step : String(step)))
  })
  return [problem(first), ...rest.map(problem)]
}

/** Reads a file that is written by this schema; fails with everything that is wrong at once. */
export const reader = <S extends Schema.ConstraintDecoder<unknown>>(schema: S) => {
  const decode = Schema.decodeUnknownResult(schema, { onExcessProperty: "error", errors: "all" })
  /** An empty file is a file that says nothing. */
  return (value: unknown): Result.Result<S["Type"], ManifestInvalid> =>
    Result.mapError(decode(value ?? {}), ({ issue }) => new ManifestInvalid({ problems: problemsOf(issue) }))
}

export const readFunctions = reader(FunctionsFile)
export const readRouting = reader(RoutingFile)
