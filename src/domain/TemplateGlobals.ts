/**
 * The section `Globals`, merged into resources as AWS's translator does: maps key by key, lists one after the other with the
 * global one first, anything else by the resource's own value.
 * @see https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
 */
import * as Suggestion from "./Suggestion.ts"
import type { TemplateMap, TemplateNode } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import type { TemplateReport } from "./TemplateReport.ts"
import * as TemplateSupport from "./TemplateSupport.ts"
import * as TemplateTypes from "./TemplateTypes.ts"

/** Kinds of globals, and the resources they are for. */
const kinds: Readonly<Record<string, string>> = {
  Api: "AWS::Serverless::Api",
  CapacityProvider: "AWS::Serverless::CapacityProvider",
  Function: "AWS::Serverless::Function",
  HttpApi: "AWS::Serverless::HttpApi",
  LayerVersion: "AWS::Serverless::LayerVersion",
  SimpleTable: "AWS::Serverless::SimpleTable",
  StateMachine: "AWS::Serverless::StateMachine",
  WebSocketApi: "AWS::Serverless::WebSocketApi"
}

/** Properties that belong to one resource, so that AWS takes them from no globals. */
const personal: ReadonlySet<string> = new Set([
  "Events",
  "FunctionName",
  "ImageUri",
  "InlineCode",
  "PackageType",
  "Policies",
  "Role",
  "ContentUri",
  "LayerName",
  "PrimaryKey",
  "TableName",
  "StageName"
])

/** The globals of each resource type. Names that a type does not know are reported here, once. */
export const read = (section: TemplateMap | undefined, report: TemplateReport): ReadonlyMap<string, TemplateMap> => {
  const globals = new Map<string, TemplateMap>()
  for (const [kind, node] of section?.entries ?? []) {
    const type = kinds[kind]
    if (type === undefined) {
      report.problem(node.place, `there are no globals for "${kind}"${Suggestion.of(kind, Object.keys(kinds))}`)
    } else if (node._tag !== "Map") {
      report.problem(node.place, `globals are a map of properties, not ${TemplateNodes.describe(node)}`)
    } else {
      checkNames(type, node, report)
      globals.set(type, node)
    }
  }
  return globals
}

const checkNames = (type: string, globals: TemplateMap, report: TemplateReport): void => {
  const known = namesFor(type)
  for (const [name, value] of globals.entries) {
    if (known !== undefined && !known.includes(name)) {
      report.problem(value.place, `"${name}" is not a global property${Suggestion.of(name, known)}`)
    }
  }
}

/** Nothing is known of the globals of types that are not honoured. */
const namesFor = (type: string): ReadonlyArray<string> | undefined => {
  const support = TemplateTypes.ofType(type)
  return support._tag === "Honoured"
    ? TemplateSupport.namesOf(TemplateSupport.properties[support.type]).filter((name) => !personal.has(name))
    : undefined
}

export const merge = (global: TemplateNode, local: TemplateNode): TemplateNode => {
  const isCalculated = TemplateNodes.intrinsicOf(global) !== undefined || TemplateNodes.intrinsicOf(local) !== undefined
  if (!isCalculated && global._tag === "Map" && local._tag === "Map") {
    const entries = new Map(global.entries)
    for (const [key, value] of local.entries) {
      const inherited = global.entries.get(key)
      entries.set(key, inherited === undefined ? value : merge(inherited, value))
    }
    return TemplateNodes.map(entries, local.place)
  }
  return global._tag === "List" && local._tag === "List"
    ? TemplateNodes.list([...global.items, ...local.items], local.place)
    : local
}

/** The globals for one resource, without those it opts out of with `IgnoreGlobals`: `*`, or a list of names. */
export const without = (
  type: string,
  globals: TemplateMap,
  ignored: TemplateNode | undefined,
  report: TemplateReport
): TemplateMap => {
  if (ignored?._tag === "Scalar" && ignored.value === "*") {
    return TemplateNodes.map(new Map(), globals.place)
  }
  const known = namesFor(type)
  const entries = new Map(globals.entries)
  for (const name of ignored?._tag === "List" ? ignored.items : ignored === undefined ? [] : [ignored]) {
    if (name._tag !== "Scalar" || known?.includes(String(name.value)) === false) {
      report.problem(name.place, `IgnoreGlobals is "*", or a list of names of global properties`)
    } else {
      entries.delete(String(name.value))
    }
  }
  return TemplateNodes.map(entries, globals.place)
}
