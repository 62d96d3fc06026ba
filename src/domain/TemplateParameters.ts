/**
 * The section `Parameters`: what is declared, what was given, and whether the two agree.
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
 */
import * as Suggestion from "./Suggestion.ts"
import * as TemplateOperators from "./TemplateOperators.ts"
import type { TemplateMap, TemplateNode, TemplatePlace } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import type { TemplateReport } from "./TemplateReport.ts"
import type { TemplateParameter } from "./TemplateScope.ts"

const attributes = [
  "Type",
  "Default",
  "AllowedValues",
  "AllowedPattern",
  "MinLength",
  "MaxLength",
  "MinValue",
  "MaxValue",
  "ConstraintDescription",
  "Description",
  "NoEcho"
]

/** Given values win over defaults; a parameter with neither is a problem that names it. */
export const resolve = (
  section: TemplateMap | undefined,
  given: Readonly<Record<string, string>>,
  report: TemplateReport
): ReadonlyMap<string, TemplateParameter> => {
  const declared: ReadonlyMap<string, TemplateNode> = section?.entries ?? new Map()
  for (const name of Object.keys(given)) {
    if (!declared.has(name)) {
      const place = section?.place ?? { line: 1, path: "Parameters" }
      report.problem(place, `the template has no parameter "${name}"${Suggestion.of(name, declared.keys())}`)
    }
  }
  return new Map(
    [...declared].map(([name, node]) => [
      name,
      resolveOne(name, node, Object.hasOwn(given, name) ? given[name] : undefined, report)
    ])
  )
}

const resolveOne = (
  name: string,
  node: TemplateNode,
  given: string | undefined,
  report: TemplateReport
): TemplateParameter => {
  if (node._tag !== "Map") {
    report.problem(node.place, `a parameter is a map with a Type, not ${TemplateNodes.describe(node)}`)
    return undefined
  }
  for (const [attribute, value] of node.entries) {
    if (!attributes.includes(attribute)) {
      report.problem(value.place, `unknown attribute "${attribute}"${Suggestion.of(attribute, attributes)}`)
    }
  }
  const type = text(node.entries.get("Type"))
  const kind = type === undefined ? undefined : kindOf(type)
  if (type === undefined || kind === undefined) {
    report.problem(node.entries.get("Type")?.place ?? node.place, `${type ?? "nothing"} is not a type of parameter`)
    return undefined
  }
  if (type.startsWith("AWS::SSM::Parameter::Value<") && given === undefined) {
    report.unsupported(node.place, `there is no Systems Manager to ask; give a value with --parameter ${name}=…`)
    return undefined
  }
  const value = given ?? text(node.entries.get("Default"))
  if (value === undefined) {
    report.problem(node.place, `the parameter ${name} has no default; give it with --parameter ${name}=…`)
    return undefined
  }
  const values = kind.isList ? value.split(",").map((item) => item.trim()) : [value]
  const broken = brokenRule(node, kind, values, report)
  if (broken !== undefined) {
    const isSecret = text(node.entries.get("NoEcho")) === "true"
    const shown = isSecret ? "its value (not shown: NoEcho)" : JSON.stringify(value)
    const why = text(node.entries.get("ConstraintDescription"))
    report.problem(broken.place, `${name}: ${shown} ${broken.rule}${why === undefined ? "" : `: ${why}`}`)
    return undefined
  }
  return kind.isList ? values : value
}

interface Kind {
  readonly isList: boolean
  readonly isNumber: boolean
}

/** AWS's own types, such as `AWS::EC2::VPC::Id`, are texts that only AWS can check. */
const kindOf = (type: string): Kind | undefined => {
  const inner = /^(?:AWS::SSM::Parameter::Value<)?(?:List<(.+?)>|(.+?))>?$/.exec(type)
  const item = inner?.[1] ?? inner?.[2]
  if (item === undefined || !/^(?:String|Number|CommaDelimitedList|AWS::[A-Za-z0-9:]+)$/.test(item)) {
    return undefined
  }
  return { isList: inner?.[1] !== undefined || item === "CommaDelimitedList", isNumber: item === "Number" }
}

/** The first rule that one of the values breaks. */
const brokenRule = (
  node: TemplateMap,
  kind: Kind,
  values: ReadonlyArray<string>,
  report: TemplateReport
): { readonly place: TemplatePlace; readonly rule: string } | undefined => {
  const fails = (attribute: string, rule: string, isFine: (value: string, limit: string) => boolean) => {
    const limit = node.entries.get(attribute)
    const written = text(limit)
    return limit !== undefined && written !== undefined && !values.every((value) => isFine(value, written))
      ? { place: limit.place, rule: `${rule} ${written}` }
      : undefined
  }
  const allowed = node.entries.get("AllowedValues")
  const choices = allowed === undefined ? undefined : TemplateOperators.texts(allowed)
  if (kind.isNumber && !values.every((value) => value.trim() !== "" && Number.isFinite(Number(value)))) {
    return { place: node.place, rule: "is not a number" }
  }
  if (allowed !== undefined && !values.every((value) => choices?.includes(value) === true)) {
    return {
      place: allowed.place,
      rule: `is not one of ${choices?.join(", ") ?? "AllowedValues, which is no list of texts"}`
    }
  }
  return (
    fails("AllowedPattern", "does not match", (value, pattern) => matches(value, pattern, node, report)) ??
    fails("MinLength", "is shorter than", (value, limit) => value.length >= Number(limit)) ??
    fails("MaxLength", "is longer than", (value, limit) => value.length <= Number(limit)) ??
    fails("MinValue", "is less than", (value, limit) => Number(value) >= Number(limit)) ??
    fails("MaxValue", "is more than", (value, limit) => Number(value) <= Number(limit))
  )
}

/** The whole value must match. Patterns are written for Java; one that JavaScript cannot read is not held against the value. */
const matches = (value: string, pattern: string, node: TemplateMap, report: TemplateReport): boolean => {
  const expression = expressionOf(pattern)
  if (expression === undefined) {
    report.warning(node.place, `AllowedPattern ${pattern} is not checked: it cannot be read here`)
  }
  return expression?.test(value) ?? true
}

const expressionOf = (pattern: string): RegExp | undefined => {
  // Java's classes of characters are something else, or nothing, in JavaScript
  if (pattern.includes("\\p{")) {
    return undefined
  }
  try {
    return new RegExp(`^(?:${pattern})$`)
  } catch {
    return undefined
  }
}

const text = (node: TemplateNode | undefined): string | undefined =>
  node?._tag === "Scalar" && node.value !== null ? String(node.value) : undefined
