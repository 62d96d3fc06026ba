/**
 * The section `Conditions`: each is decided at most once, when it is first asked for.
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html
 */
import * as Suggestion from "./Suggestion.ts"
import * as TemplateIntrinsics from "./TemplateIntrinsics.ts"
import type { TemplateMap, TemplateNode, TemplatePlace } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import type { TemplateScope } from "./TemplateScope.ts"

/** `undefined` when it cannot be decided, which has been reported. */
type Decision = boolean | undefined

export interface TemplateConditions {
  readonly decide: TemplateScope["condition"]
  /** Decides every condition, so that a broken one is reported even when nothing asks for it. */
  readonly decideAll: () => void
}

export const make = (
  section: TemplateMap | undefined,
  scope: Omit<TemplateScope, "condition" | "resource">
): TemplateConditions => {
  const decided = new Map<string, Decision>()
  const underway = new Set<string>()
  const entries: ReadonlyMap<string, TemplateNode> = section?.entries ?? new Map()

  const decide = (name: string, place: TemplatePlace): Decision => {
    const expression = entries.get(name)
    if (expression === undefined) {
      scope.report.problem(place, `there is no condition "${name}"${Suggestion.of(name, entries.keys())}`)
      return undefined
    }
    if (underway.has(name)) {
      scope.report.problem(place, `the condition "${name}" depends on itself`)
      return undefined
    }
    if (!decided.has(name)) {
      underway.add(name)
      decided.set(name, test(expression))
      underway.delete(name)
    }
    return decided.get(name)
  }

  const scopeOfConditions: TemplateScope = {
    ...scope,
    condition: decide,
    resource: (logicalId, _attribute, place) =>
      scope.report.problem(place, `a condition can only use parameters, and "${logicalId}" is none`)
  }

  const test = (node: TemplateNode): Decision => {
    const [name, argument] = (node._tag === "Map" && node.entries.size === 1 ? [...node.entries][0] : undefined) ?? []
    const operands = argument?._tag === "List" ? argument.items : []
    switch (name) {
      case "Condition":
        // AWS's translator writes a condition of a condition, and CloudFormation takes it
        return argument?._tag === "Scalar"
          ? decide(String(argument.value), argument.place)
          : argument?._tag === "Map"
            ? test(argument)
            : malformed(node)
      case "Fn::Equals":
        return operands.length === 2 ? equals(operands, node) : malformed(node)
      case "Fn::Not": {
        const decision = operands[0] === undefined || operands.length > 1 ? malformed(node) : test(operands[0])
        return decision === undefined ? undefined : !decision
      }
      case "Fn::And":
      case "Fn::Or": {
        if (operands.length < 2 || operands.length > 10) {
          return malformed(node)
        }
        const decisions = operands.map(test)
        if (decisions.includes(undefined)) {
          return undefined
        }
        return name === "Fn::And" ? decisions.every(Boolean) : decisions.some(Boolean)
      }
      default:
        return malformed(node)
    }
  }

  const equals = (operands: ReadonlyArray<TemplateNode>, node: TemplateNode): Decision => {
    const [left, right] = operands.map((operand) => TemplateIntrinsics.evaluate(scopeOfConditions, operand))
    if (left === undefined || right === undefined) {
      return malformed(node)
    }
    return left._tag === "Unknown" || right._tag === "Unknown" ? undefined : comparable(left) === comparable(right)
  }

  const malformed = (node: TemplateNode): undefined => {
    scope.report.problem(
      node.place,
      "a condition is Fn::Equals of two values, Fn::Not of one condition, Fn::And or Fn::Or of 2 to 10, or Condition"
    )
    return undefined
  }

  return {
    decide,
    decideAll: () => entries.forEach((expression, name) => decide(name, expression.place))
  }
}

/** Values are compared as text: the number 1 and "1" are equal, as are `true` and "true". */
const comparable = (node: TemplateNode): string =>
  node._tag === "Scalar"
    ? String(node.value)
    : JSON.stringify(TemplateNodes.toPlain(node), (_key, value) => (typeof value === "object" ? value : String(value)))
