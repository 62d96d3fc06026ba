/** Works out the values of a template: parameters, references, conditions and intrinsic functions. */
import { Result } from "effect"
import * as Suggestion from "./Suggestion.ts"
import * as TemplateOperators from "./TemplateOperators.ts"
import type { TemplateMap, TemplateNode, TemplatePlace } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import type { TemplateScope } from "./TemplateScope.ts"
import * as TemplateSubstitution from "./TemplateSubstitution.ts"

/** A value, an unknown one whose reason has been reported, or `undefined`: `AWS::NoValue`, as if it were not written. */
export type Evaluated = TemplateNode | undefined

/** The whole value, down to its leaves. */
export const evaluate = (scope: TemplateScope, node: TemplateNode): Evaluated => {
  const call = TemplateNodes.intrinsicOf(node)
  if (call !== undefined) {
    return apply(scope, call[0], call[1], node.place)
  }
  switch (node._tag) {
    case "List":
      return TemplateNodes.list(
        node.items.flatMap((item) => evaluate(scope, item) ?? []),
        node.place
      )
    case "Map":
      return evaluateEntries(scope, node)
    case "Scalar":
      return typeof node.value === "string" ? text(scope, node.value, node.place) : node
    case "Unknown":
      return node
  }
}

/** Only as much as is needed to see the value itself; what is inside a map or a list stays as written. */
export const open = (scope: TemplateScope, node: TemplateNode): Evaluated => {
  const chosen = choose(scope, node)
  return chosen === undefined || TemplateNodes.intrinsicOf(chosen) === undefined ? chosen : evaluate(scope, chosen)
}

/** What `Fn::If` leaves of a value, without working out anything else. */
export const choose = (scope: TemplateScope, node: TemplateNode): Evaluated => {
  const [name, argument] = TemplateNodes.intrinsicOf(node) ?? []
  if (name === "Fn::If" && argument !== undefined) {
    return choose(scope, branch(scope, argument, node.place))
  }
  const isNoValue = name === "Ref" && argument?._tag === "Scalar" && argument.value === "AWS::NoValue"
  return isNoValue ? undefined : node
}

const apply = (scope: TemplateScope, name: string, argument: TemplateNode, place: TemplatePlace): Evaluated => {
  switch (name) {
    case "Ref":
      return argument._tag === "Scalar" && typeof argument.value === "string"
        ? reference(scope, argument.value, place)
        : scope.report.problem(place, "Ref takes the name of a parameter or a resource")
    case "Fn::If":
      return evaluate(scope, branch(scope, argument, place))
    case "Fn::Sub":
      return substitution(scope, argument, place)
    case "Fn::GetAtt":
      return attribute(scope, argument, place)
  }
  const known = TemplateOperators.operators[name]
  if (known !== undefined) {
    const operands = evaluate(scope, argument)
    if (operands === undefined || isUnknown(operands)) {
      return { _tag: "Unknown", place }
    }
    return Result.getOrElse(known(operands, place, scope.mappings), (message) => scope.report.problem(place, message))
  }
  const reason = TemplateOperators.withoutAnswer[name]
  if (reason !== undefined) {
    scope.report.unsupported(place, `${name} has no answer here: ${reason}`)
    return { _tag: "Unknown", place }
  }
  const names = ["Fn::If", "Fn::Sub", "Fn::GetAtt", ...Object.keys(TemplateOperators.operators)]
  return scope.report.problem(place, `${name} is not a function for values${Suggestion.of(name, names)}`)
}

/** The value that `Fn::If` stands for, as written. */
const branch = (scope: TemplateScope, argument: TemplateNode, place: TemplatePlace): TemplateNode => {
  const [condition, whenTrue, whenFalse, ...more] = argument._tag === "List" ? argument.items : []
  if (condition?._tag !== "Scalar" || whenTrue === undefined || whenFalse === undefined || more.length > 0) {
    return scope.report.problem(place, "Fn::If takes the name of a condition and two values")
  }
  const decided = scope.condition(String(condition.value), condition.place)
  return decided === undefined ? { _tag: "Unknown", place } : decided ? whenTrue : whenFalse
}

const reference = (scope: TemplateScope, name: string, place: TemplatePlace): Evaluated => {
  if (name === "AWS::NoValue") {
    return undefined
  }
  if (!scope.parameters.has(name)) {
    return scope.resource(name, undefined, place)
  }
  const value = scope.parameters.get(name)
  if (value === undefined) {
    return { _tag: "Unknown", place }
  }
  return typeof value === "string"
    ? text(scope, value, place)
    : TemplateNodes.list(
        value.map((item) => TemplateNodes.scalar(item, place)),
        place
      )
}

const attribute = (scope: TemplateScope, argument: TemplateNode, place: TemplatePlace): Evaluated => {
  const operands = evaluate(scope, argument)
  if (operands === undefined || isUnknown(operands)) {
    return { _tag: "Unknown", place }
  }
  const parts = operands._tag === "Scalar" ? String(operands.value).split(".") : TemplateOperators.texts(operands)
  const [logicalId, ...names] = parts ?? []
  return logicalId === undefined || names.join("") === ""
    ? scope.report.problem(place, "Fn::GetAtt takes the name of a resource and one of its attributes")
    : scope.resource(logicalId, names.join("."), place)
}

const substitution = (scope: TemplateScope, argument: TemplateNode, place: TemplatePlace): TemplateNode => {
  const [template, values, ...more] = argument._tag === "List" ? argument.items : [argument]
  const isMapMissing = argument._tag === "List" && values?._tag !== "Map"
  if (template?._tag !== "Scalar" || typeof template.value !== "string" || isMapMissing || more.length > 0) {
    return scope.report.problem(place, "Fn::Sub takes a text, or a text and a map of its variables")
  }
  const variables = values?._tag === "Map" ? values : undefined
  const pieces = TemplateSubstitution.parse(template.value).map((piece) =>
    piece._tag === "Literal" ? piece.text : variable(scope, piece.name, variables, place)
  )
  return pieces.includes(undefined) ? { _tag: "Unknown", place } : text(scope, pieces.join(""), place)
}

/** The text of one variable of `Fn::Sub`; `undefined` when it has none, which has been reported. */
const variable = (
  scope: TemplateScope,
  name: string,
  variables: TemplateMap | undefined,
  place: TemplatePlace
): string | undefined => {
  const given = variables?.entries.get(name)
  const [logicalId = "", ...names] = name.split(".")
  const value =
    given !== undefined
      ? evaluate(scope, given)
      : !/^[A-Za-z0-9_:.-]+$/.test(name)
        ? scope.report.problem(place, `\${${name}} names nothing; write \${!${name}} for the text itself`)
        : names.length === 0
          ? reference(scope, name, place)
          : scope.resource(logicalId, names.join("."), place)
  if (value?._tag === "Scalar" && value.value !== null) {
    return String(value.value)
  }
  if (value?._tag !== "Unknown") {
    scope.report.problem(place, `\${${name}} is not a text`)
  }
  return undefined
}

const evaluateEntries = (scope: TemplateScope, node: TemplateMap): TemplateMap => {
  const entries = [...node.entries].flatMap(([key, item]) => {
    const evaluated = evaluate(scope, item)
    return evaluated === undefined ? [] : [[key, evaluated] as const]
  })
  return TemplateNodes.map(new Map(entries), node.place)
}

const isUnknown = (node: TemplateNode): boolean =>
  node._tag === "Unknown" || (node._tag === "List" && node.items.some(isUnknown))

/** `{{resolve:ssm:…}}` asks AWS while it deploys; left as it is, it would reach a function as text. */
const text = (scope: TemplateScope, value: string, place: TemplatePlace): TemplateNode => {
  if (value.includes("{{resolve:")) {
    scope.report.unsupported(place, "{{resolve:…}} has no answer here: there is no AWS to ask; use a parameter")
  }
  return TemplateNodes.scalar(value, place)
}
