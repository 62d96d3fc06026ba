/**
 * The top of a template: which sections it has.
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
 */
import * as Suggestion from "./Suggestion.ts"
import type { TemplateMap, TemplateNode } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import type { TemplateReport } from "./TemplateReport.ts"

export interface TemplateSections {
  readonly parameters: TemplateMap | undefined
  readonly mappings: TemplateMap | undefined
  readonly conditions: TemplateMap | undefined
  readonly globals: TemplateMap | undefined
  /** Empty when the template has none, which has been reported. */
  readonly resources: TemplateMap
}

const names = [
  "AWSTemplateFormatVersion",
  "Conditions",
  "Description",
  "Globals",
  "Mappings",
  "Metadata",
  "Outputs",
  "Parameters",
  "Resources",
  "Transform"
]

const refused: Readonly<Record<string, string>> = {
  Hooks: "a deploy here is no CodeDeploy deployment",
  Rules: "assertions about parameters are not checked; use AllowedValues or AllowedPattern"
}

/** The one macro that is understood without being run. */
const serverless = "AWS::Serverless-2016-10-31"

export const read = (root: TemplateNode, report: TemplateReport): TemplateSections => {
  if (root._tag !== "Map") {
    report.problem(root.place, `a template is a map with Resources, not ${TemplateNodes.describe(root)}`)
    return { ...nothing, resources: TemplateNodes.map(new Map(), root.place) }
  }
  for (const [name, { place }] of root.entries) {
    const reason = refused[name]
    if (reason !== undefined) {
      report.unsupported(place, `${name} is not supported: ${reason}`)
    } else if (!names.includes(name)) {
      report.problem(place, `unknown section "${name}"${Suggestion.of(name, names)}`)
    }
  }
  checkVersion(root.entries.get("AWSTemplateFormatVersion"), report)
  checkTransform(root.entries.get("Transform"), report)
  const resources = section(root, "Resources", report)
  if (resources === undefined || resources.entries.size === 0) {
    report.problem(resources?.place ?? root.place, "a template needs at least one resource in the section Resources")
  }
  return {
    parameters: section(root, "Parameters", report),
    mappings: section(root, "Mappings", report),
    conditions: section(root, "Conditions", report),
    globals: section(root, "Globals", report),
    resources: resources ?? TemplateNodes.map(new Map(), root.place)
  }
}

const nothing = { parameters: undefined, mappings: undefined, conditions: undefined, globals: undefined }

const section = (root: TemplateMap, name: string, report: TemplateReport): TemplateMap | undefined => {
  const node = root.entries.get(name)
  if (node !== undefined && node._tag !== "Map") {
    const isEmpty = node._tag === "Scalar" && node.value === null
    const fault = isEmpty ? "is empty; remove it" : `is a map, not ${TemplateNodes.describe(node)}`
    report.problem(node.place, `the section ${name} ${fault}`)
  }
  return node?._tag === "Map" ? node : undefined
}

const checkVersion = (version: TemplateNode | undefined, report: TemplateReport): void => {
  if (version !== undefined && (version._tag !== "Scalar" || version.value !== "2010-09-09")) {
    report.problem(version.place, "the only AWSTemplateFormatVersion is 2010-09-09")
  }
}

const checkTransform = (transform: TemplateNode | undefined, report: TemplateReport): void => {
  for (const macro of transform === undefined ? [] : transform._tag === "List" ? transform.items : [transform]) {
    if (macro._tag !== "Scalar" || macro.value !== serverless) {
      const written = macro._tag === "Scalar" ? String(macro.value) : TemplateNodes.describe(macro)
      const meant = Suggestion.of(written, [serverless])
      report.unsupported(macro.place, `the macro ${written} is not supported: macros are not run${meant}`)
    }
  }
}
