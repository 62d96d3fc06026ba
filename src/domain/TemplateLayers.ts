/** Layers of a template, and which of them a function asks for. */
import type { StackLayer } from "./Stack.ts"
import * as TemplateCode from "./TemplateCode.ts"
import type { TemplateContext } from "./TemplateContext.ts"
import * as TemplateFields from "./TemplateFields.ts"
import type { TemplateMap } from "./TemplateNode.ts"
import type { TemplateResource } from "./TemplateResources.ts"

/** Of one function. @see https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html */
const maximumLayers = 5

const types: ReadonlySet<string> = new Set(["AWS::Serverless::LayerVersion", "AWS::Lambda::LayerVersion"])

/** A layer whose content is wrong, or lies elsewhere, is none; that has been reported. */
export const read = ({ scope, nameOf }: TemplateContext, resource: TemplateResource): StackLayer | undefined => {
  const { logicalId, properties, metadata } = resource
  const field = resource.type === "AWS::Serverless::LayerVersion" ? "ContentUri" : "Content"
  const name = nameOf(resource)
  const contentUri = TemplateCode.local(scope, properties, field)
  const { buildMethod } = TemplateCode.build(scope, metadata)
  return name === undefined || contentUri === undefined ? undefined : { logicalId, name, contentUri, buildMethod }
}

/** Logical ids, in the order of the function's list. */
export const ofFunction = (context: TemplateContext, properties: TemplateMap): ReadonlyArray<string> => {
  const { scope, resources, find } = context
  const place = TemplateFields.placeOf(properties, "Layers")
  const wanted = TemplateFields.texts(scope, properties, "Layers") ?? []
  if (wanted.length > maximumLayers) {
    scope.report.problem(place, `a function has at most ${maximumLayers} layers, not ${wanted.length}`)
  }
  if (new Set(wanted).size < wanted.length) {
    scope.report.problem(place, "a layer is named twice")
  }
  const known = new Map<string, string>()
  for (const resource of resources.values()) {
    const arn = types.has(resource.type) && resource.isCreated ? find(resource.logicalId, undefined, place) : undefined
    if (arn?._tag === "Scalar") {
      known.set(String(arn.value), resource.logicalId)
    }
  }
  return wanted.flatMap((arn) => {
    const logicalId = known.get(arn)
    if (logicalId === undefined) {
      scope.report.unsupported(place, `the layer ${arn} is not in this template, and there is no AWS to fetch it from`)
      return []
    }
    return [logicalId]
  })
}
