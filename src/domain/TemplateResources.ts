/** The section `Resources`: what each is, whether its condition creates it, and its properties with the globals merged in. */
import * as Suggestion from "./Suggestion.ts"
import * as TemplateFields from "./TemplateFields.ts"
import * as TemplateGlobals from "./TemplateGlobals.ts"
import type { TemplateMap, TemplateNode, TemplatePlace } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import type { TemplateScope } from "./TemplateScope.ts"
import * as TemplateSupport from "./TemplateSupport.ts"
import * as TemplateTypes from "./TemplateTypes.ts"

export interface TemplateResource {
  readonly logicalId: string
  readonly type: string
  readonly support: TemplateTypes.TypeSupport
  /** Whether its `Condition` creates it; without one, it is created. */
  readonly isCreated: boolean
  readonly properties: TemplateMap
  readonly metadata: TemplateMap | undefined
  readonly place: TemplatePlace
}

/** @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html */
const attributes: TemplateSupport.TemplateSupport = {
  honoured: ["Type", "Properties", "Condition", "Metadata", "IgnoreGlobals"],
  describes: ["DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy", "Description"],
  withoutEffect: { Connectors: "nothing here checks IAM; functions hold the key pair of the stack" }
}

export const read = (
  section: TemplateMap,
  globals: ReadonlyMap<string, TemplateMap>,
  scope: TemplateScope
): ReadonlyMap<string, TemplateResource> => {
  const resources = new Map<string, TemplateResource>()
  for (const [logicalId, node] of section.entries) {
    const resource = readOne(logicalId, node, globals, scope)
    if (resource !== undefined) {
      resources.set(logicalId, resource)
    }
  }
  return resources
}

const readOne = (
  logicalId: string,
  node: TemplateNode,
  globals: ReadonlyMap<string, TemplateMap>,
  scope: TemplateScope
): TemplateResource | undefined => {
  if (logicalId.startsWith("Fn::")) {
    scope.report.unsupported(node.place, `${logicalId} is not supported: macros are not run`)
    return undefined
  }
  if (!/^[A-Za-z0-9]{1,255}$/.test(logicalId)) {
    scope.report.problem(node.place, `the name of a resource is letters and digits, not "${logicalId}"`)
  }
  if (node._tag !== "Map") {
    scope.report.problem(node.place, `a resource is a map with a Type, not ${TemplateNodes.describe(node)}`)
    return undefined
  }
  TemplateFields.check(scope, node, attributes)
  const type = node.entries.get("Type")
  if (type?._tag !== "Scalar" || typeof type.value !== "string") {
    scope.report.problem(node.place, "a resource needs a Type")
    return undefined
  }
  const isCreated = readCondition(node, scope)
  const support = TemplateTypes.ofType(type.value)
  if (isCreated) {
    reportSupport(type.value, support, type.place, scope)
  }
  return {
    logicalId,
    type: type.value,
    support,
    isCreated,
    properties: readProperties(type.value, node, globals.get(type.value), scope),
    metadata: mapOf(node.entries.get("Metadata")),
    place: node.place
  }
}

const readCondition = (node: TemplateMap, scope: TemplateScope): boolean => {
  const condition = node.entries.get("Condition")
  if (condition === undefined) {
    return true
  }
  if (condition._tag !== "Scalar" || typeof condition.value !== "string") {
    scope.report.problem(condition.place, "Condition is the name of a condition")
    return true
  }
  return scope.condition(condition.value, condition.place) ?? true
}

const readProperties = (
  type: string,
  node: TemplateMap,
  global: TemplateMap | undefined,
  scope: TemplateScope
): TemplateMap => {
  const written = node.entries.get("Properties")
  const own = mapOf(written) ?? TemplateNodes.map(new Map(), written?.place ?? node.place)
  // `Properties:` with nothing below it is how people write that there are none
  const isNothing = written?._tag === "Scalar" && written.value === null
  if (written !== undefined && written._tag !== "Map" && !isNothing) {
    scope.report.problem(written.place, `Properties is a map, not ${TemplateNodes.describe(written)}`)
  }
  if (global === undefined) {
    return own
  }
  const inherited = TemplateGlobals.without(type, global, node.entries.get("IgnoreGlobals"), scope.report)
  const merged = TemplateGlobals.merge(inherited, own)
  return merged._tag === "Map" ? merged : own
}

const reportSupport = (
  type: string,
  support: TemplateTypes.TypeSupport,
  place: TemplatePlace,
  scope: TemplateScope
): void => {
  switch (support._tag) {
    case "Honoured":
      return
    case "WithoutEffect":
      scope.report.warning(place, `${type} has no effect here: ${support.reason}`)
      return
    case "Refused": {
      const meant = Suggestion.of(type, Object.keys(TemplateSupport.properties))
      scope.report.unsupported(place, `${type} is not supported: ${support.reason}${meant}`)
    }
  }
}

const mapOf = (node: TemplateNode | undefined): TemplateMap | undefined => (node?._tag === "Map" ? node : undefined)
