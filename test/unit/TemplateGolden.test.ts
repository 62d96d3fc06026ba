/** Every recorded template goes in, and what comes out is compared with what AWS's own translator made of it. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { isImage, type Stack, type StackFunction } from "#domain/Stack"
import { readFile as readResources } from "#domain/Resources"
import * as Template from "#domain/Template"
import * as TemplateFile from "#layers/files/TemplateFile"
import { needs, pathOf } from "#test/support/Engines"

type Json = Readonly<Record<string, unknown>>

const isRecord = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const record = (value: unknown): Json => (isRecord(value) ? value : {})
const isLiteral = (value: unknown): value is string | number | boolean =>
  value !== undefined && typeof value !== "object"

/** Parameters without defaults in the recorded templates; AWS's translator leaves references to them in place. */
const parameters = (text: string): Readonly<Record<string, string>> => {
  const parsed = TemplateFile.parse("parameters", text)
  const declared = Result.isSuccess(parsed) ? record(record(parsed.success.document)["Parameters"]) : {}
  return Object.fromEntries(
    Object.entries(declared)
      .filter(([, parameter]) => isRecord(parameter) && parameter["Default"] === undefined)
      .map(([name, parameter]) => [
        name,
        record(parameter)["Type"] === "Number" ? "128" : `given-${name.toLowerCase()}`
      ])
  )
}

const resolve = (file: string, text: string, allowUnsupported: boolean) =>
  Result.flatMap(TemplateFile.parse(file, text), (parsed) =>
    Template.resolve({ ...parsed, parameters: parameters(text), allowUnsupported, region: "ap-southeast-1" })
  )

const translator = () => join(pathOf("golden"), "sam-translator")
const patterns = () => join(pathOf("golden"), "sam-patterns")
const read = (directory: string) =>
  readdirSync(directory).map((file) => ({ file, text: readFileSync(join(directory, file), "utf8") }))

/** Code in S3 is refused, which would leave little to compare; here it is taken to lie beside the template. */
const withLocalCode = (text: string) => text.replaceAll(/s3:\/\/[^\s'"]+/g, "./code.zip")

/** The translator's template, with its code beside it as well. */
const translated = (file: string): { readonly text: string; readonly resources: Json } => {
  const output = record(JSON.parse(readFileSync(join(translator(), "output", file.replace(/\.\w+$/, ".json")), "utf8")))
  const local = Object.entries(record(output["Resources"])).map(([id, resource]) => {
    const { Properties, ...attributes } = record(resource)
    const { Code, Content, ...properties } = record(Properties)
    const isInS3 = record(Code)["S3Bucket"] !== undefined
    const code = Code === undefined ? {} : { Code: isInS3 ? "./code.zip" : Code }
    const content = Content === undefined ? {} : { Content: "./code.zip" }
    return [id, { ...attributes, Properties: { ...properties, ...code, ...content } }] as const
  })
  const resources = Object.fromEntries(local)
  return { text: JSON.stringify({ ...output, Resources: resources }), resources }
}

/** What of a function is the same before and after translation. */
const comparable = ({ name, code, timeoutMs, memoryMiB, environment, maxCapacity }: StackFunction) => ({
  name,
  kind: code._tag,
  handler: isImage(code) ? undefined : code.handler,
  runtime: isImage(code) ? undefined : code.runtime,
  layers: isImage(code) ? 0 : code.layers.length,
  timeoutMs,
  memoryMiB,
  environment,
  maxCapacity
})

/** The translator sorts resources; a template need not. */
const inOrder = (stack: Stack, part: "functions" | "tables" | "buckets"): ReadonlyArray<unknown> =>
  (part === "functions" ? stack.functions.map(comparable) : stack[part]).toSorted((a, b) =>
    JSON.stringify(a).localeCompare(JSON.stringify(b))
  )

/** Compares with the literal values of the translator's text, without any reading of ours in between. */
const compareLiterals = (file: string, ours: StackFunction, properties: Json): number => {
  const variables = record(record(properties["Environment"])["Variables"])
  const pairs: ReadonlyArray<readonly [unknown, unknown]> = [
    [properties["Handler"], isImage(ours.code) ? undefined : ours.code.handler],
    [properties["Runtime"], isImage(ours.code) ? undefined : ours.code.runtime],
    [properties["Timeout"] ?? 3, ours.timeoutMs / 1_000],
    [properties["MemorySize"] ?? 128, ours.memoryMiB],
    [properties["ReservedConcurrentExecutions"], ours.maxCapacity],
    ...Object.entries(variables).map(([name, value]) => [value, ours.environment[name]] as const)
  ]
  const literals = pairs.filter(([theirs]) => isLiteral(theirs))
  for (const [theirs, mine] of literals) {
    assert.strictEqual(String(mine), String(theirs), `${file}: ${ours.logicalId}`)
  }
  return literals.length
}

/** `GET /orders` of every path that the translator's OpenAPI hands to a function. */
const translatedRoutes = (resources: Json): ReadonlyArray<string> =>
  Object.values(resources).flatMap((resource) => {
    const { Type, Properties } = record(resource)
    return Type !== "AWS::ApiGateway::RestApi"
      ? []
      : Object.entries(record(record(record(Properties)["Body"])["paths"])).flatMap(([path, methods]) =>
          Object.entries(record(methods)).flatMap(([method, operation]) => {
            const integration = record(record(operation)["x-amazon-apigateway-integration"])
            const name = method === "x-amazon-apigateway-any-method" ? "ANY" : method.toUpperCase()
            return integration["type"] === "aws_proxy" ? [`${name} ${path}`] : []
          })
        )
  })

const translatedSchedules = (resources: Json): ReadonlyArray<string> =>
  Object.values(resources).flatMap((resource) => {
    const { Type, Properties } = record(resource)
    const { ScheduleExpression, State } = record(Properties)
    const isSchedule = Type === "AWS::Events::Rule" || Type === "AWS::Scheduler::Schedule"
    return isSchedule && typeof ScheduleExpression === "string" && State !== "DISABLED" ? [ScheduleExpression] : []
  })

const compareEvents = (file: string, stack: Stack, resources: Json): void => {
  const routes = stack.routes.map(({ method, path }) => `${method} ${path}`)
  assert.deepStrictEqual(routes.toSorted(), translatedRoutes(resources).toSorted(), file)
  const schedules = stack.functions.flatMap((found) => found.schedules.map(({ expression }) => expression))
  assert.deepStrictEqual(schedules.toSorted(), translatedSchedules(resources).toSorted(), file)
}

/** How much was compared belongs to the result: a comparison of nothing passes too. */
const tell = (what: string, counts: Readonly<Record<string, number>>) =>
  process.stdout.write(
    `${what}: ${Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ")}\n`
  )

/** Hundreds of templates in one test, on a machine that may be doing other things. */
const recorded = { ...needs("golden"), timeout: 60_000 }

describe("the templates of AWS's translator", recorded, () => {
  it("those that are accepted mean what AWS's translator makes of them", () => {
    const counts = { templates: 0, functions: 0, literals: 0, routes: 0, tables: 0, refused: 0 }
    for (const { file, text } of read(join(translator(), "input")).filter(({ file }) => !file.startsWith("error_"))) {
      const mine = resolve(file, withLocalCode(text), false)
      if (Result.isFailure(mine)) {
        counts.refused += 1
        continue
      }
      const { resources, text: theirText } = translated(file)
      compareEvents(file, mine.success, resources)
      const theirs = resolve(file, theirText, true)
      assert(Result.isSuccess(theirs), Result.isFailure(theirs) ? theirs.failure.message : "")
      for (const part of ["functions", "tables", "buckets"] as const) {
        assert.deepStrictEqual(inOrder(mine.success, part), inOrder(theirs.success, part), `${file}: ${part}`)
      }
      counts.templates += 1
      counts.routes += mine.success.routes.length
      counts.tables += mine.success.tables.length
      for (const ours of mine.success.functions) {
        counts.functions += 1
        counts.literals += compareLiterals(file, ours, record(record(resources[ours.logicalId])["Properties"]))
      }
    }
    tell("accepted as they are, and compared", counts)
    assert.isAtLeast(counts.templates, 50)
    assert.isAtLeast(counts.functions, 50)
    assert.isAtLeast(counts.literals, 200)
    assert.isAtLeast(counts.routes, 20)
    assert.isAtLeast(counts.tables, 5)
  })

  it("those that are let through keep the functions that AWS's translator makes", () => {
    const counts = { templates: 0, functions: 0, literals: 0, refused: 0 }
    for (const { file, text } of read(join(translator(), "input")).filter(({ file }) => !file.startsWith("error_"))) {
      const mine = resolve(file, withLocalCode(text), true)
      if (Result.isFailure(mine)) {
        counts.refused += 1
        continue
      }
      const { resources } = translated(file)
      counts.templates += 1
      for (const ours of mine.success.functions) {
        counts.functions += 1
        counts.literals += compareLiterals(file, ours, record(record(resources[ours.logicalId])["Properties"]))
      }
    }
    tell("let through, and compared", counts)
    assert.isAtLeast(counts.templates, 250)
    assert.isAtLeast(counts.functions, 300)
    assert.isAtLeast(counts.literals, 1_200)
  })

  it("those that AWS's translator refuses are refused", () => {
    /** What is wrong with these has no effect here: permissions that nothing checks. */
    const accepted = ["error_schema_validation_wrong_type.yaml"]
    const wrong = read(join(translator(), "input")).filter(({ file }) => file.startsWith("error_"))
    const found = wrong.filter(({ file, text }) => Result.isSuccess(resolve(file, text, false))).map(({ file }) => file)
    tell("refused like AWS's translator", { refused: wrong.length - found.length, of: wrong.length })
    assert.isAtLeast(wrong.length, 100)
    assert.deepStrictEqual(
      found,
      accepted.filter((file) => wrong.some((other) => other.file === file))
    )
  })
})

describe("the templates of sample applications", recorded, () => {
  it("are accepted, or refused with a line that exists", () => {
    const counts = { accepted: 0, letThrough: 0, refused: 0, syntax: 0 }
    for (const { file, text } of read(patterns())) {
      const lines = text.split("\n").length
      const strict = resolve(file, text, false)
      const relaxed = resolve(file, text, true)
      if (Result.isFailure(strict)) {
        for (const { line, message } of strict.failure.problems) {
          assert(line >= 1 && line <= lines && message.length > 0, `${file}:${line}: ${message}`)
        }
      }
      const isSyntax = Result.isFailure(strict) && strict.failure._tag === "TemplateSyntax"
      const outcome = isSyntax
        ? "syntax"
        : Result.isSuccess(strict)
          ? "accepted"
          : Result.isSuccess(relaxed)
            ? "letThrough"
            : "refused"
      counts[outcome] += 1
      assert(Result.isFailure(strict) || Result.isSuccess(relaxed), `${file} is accepted only when less is allowed`)
    }
    tell("sample applications", counts)
    assert.isAtLeast(counts.accepted, 20)
    assert.isAtLeast(counts.letThrough, 150)
    const total = Object.values(counts).reduce((sum, count) => sum + count)
    assert.isBelow(counts.syntax / total, 0.05, "more texts than expected are not YAML")
  })
})

describe("tables and buckets", recorded, () => {
  it("of every template that is let through are such as the Provisioner takes", () => {
    const counts = { tables: 0, buckets: 0 }
    for (const { file, text } of [...read(patterns()), ...read(join(translator(), "input"))]) {
      const mine = resolve(file, withLocalCode(text), true)
      if (Result.isFailure(mine)) continue
      const { buckets, tables } = mine.success
      const taken = readResources({ resources: { dynamodb: tables, s3: buckets } })
      assert(Result.isSuccess(taken), `${file}: ${Result.isFailure(taken) ? taken.failure.message : ""}`)
      counts.tables += tables.length
      counts.buckets += buckets.length
    }
    tell("taken by the Provisioner", counts)
    assert.isAtLeast(counts.tables, 50)
    assert.isAtLeast(counts.buckets, 50)
  })
})
