/** What `Ref` and `Fn::GetAtt` answer for the resources of a template: names and ARNs, known before anything is deployed. */
import * as FunctionArn from "./FunctionArn.ts"
import * as Suggestion from "./Suggestion.ts"
import * as TemplateIntrinsics from "./TemplateIntrinsics.ts"
import type { TemplateNode, TemplatePlace } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import type { TemplateResource } from "./TemplateResources.ts"
import type { TemplateScope } from "./TemplateScope.ts"
import type { HonouredType } from "./TemplateSupport.ts"

export interface TemplateReferences {
  readonly find: TemplateScope["resource"]
  /** The name a resource goes by outside of its template; `undefined` when it cannot be worked out, which has been reported. */
  readonly nameOf: (resource: TemplateResource) => string | undefined
}

interface Naming {
  /** The property that gives the name; without it, the logical id does. */
  readonly property: string
  readonly isLowerCase?: true
  /** What an attribute answers for a name; the empty attribute is `Ref`. */
  readonly attributes: Readonly<Record<string, (name: string, region: string) => string>>
}

const functionNaming: Naming = {
  property: "FunctionName",
  attributes: {
    "": (name) => name,
    Arn: (name, region) => FunctionArn.of(region, name)
  }
}
const layerVersionArn = (name: string, region: string) =>
  `arn:aws:lambda:${region}:${FunctionArn.account}:layer:${name}:1`
const layerNaming: Naming = {
  property: "LayerName",
  attributes: { "": layerVersionArn, LayerVersionArn: layerVersionArn }
}
const tableNaming: Naming = {
  property: "TableName",
  attributes: {
    "": (name) => name,
    Arn: (name, region) => `arn:aws:dynamodb:${region}:${FunctionArn.account}:table/${name}`
  }
}

const namings: Readonly<Record<HonouredType, Naming>> = {
  "AWS::Serverless::Function": functionNaming,
  "AWS::Lambda::Function": functionNaming,
  "AWS::Serverless::LayerVersion": layerNaming,
  "AWS::Lambda::LayerVersion": layerNaming,
  "AWS::DynamoDB::Table": tableNaming,
  "AWS::Serverless::SimpleTable": tableNaming,
  "AWS::S3::Bucket": {
    property: "BucketName",
    isLowerCase: true,
    attributes: { "": (name) => name, Arn: (name) => `arn:aws:s3:::${name}` }
  },
  "AWS::Serverless::Api": { property: "Name", attributes: {} }
}

/** Resources and scope are asked for when a reference is followed: they are made of one another. */
export const make = (
  region: string,
  resources: () => ReadonlyMap<string, TemplateResource>,
  scope: () => TemplateScope
): TemplateReferences => {
  const names = new Map<string, string | undefined>()
  const underway = new Set<string>()

  const nameOf = (resource: TemplateResource): string | undefined => {
    const { logicalId, support, properties } = resource
    if (support._tag !== "Honoured") {
      return logicalId
    }
    if (underway.has(logicalId)) {
      scope().report.problem(resource.place, `the name of ${logicalId} depends on itself`)
      return undefined
    }
    if (!names.has(logicalId)) {
      underway.add(logicalId)
      const naming = namings[support.type]
      const written = properties.entries.get(naming.property)
      const fallback = TemplateNodes.scalar(naming.isLowerCase ? logicalId.toLowerCase() : logicalId, resource.place)
      const name = (written === undefined ? undefined : TemplateIntrinsics.evaluate(scope(), written)) ?? fallback
      if (name._tag !== "Unknown" && (name._tag !== "Scalar" || name.value === null)) {
        scope().report.problem(name.place, `${naming.property} is a text, not ${TemplateNodes.describe(name)}`)
      }
      names.set(logicalId, name._tag === "Scalar" && name.value !== null ? String(name.value) : undefined)
      underway.delete(logicalId)
    }
    return names.get(logicalId)
  }

  const find = (logicalId: string, attribute: string | undefined, place: TemplatePlace): TemplateNode => {
    const written = attribute === undefined ? `Ref ${logicalId}` : `${logicalId}.${attribute}`
    const missing = (reason: string): TemplateNode => {
      const isLetThrough = scope().report.unsupported(place, `${written} has no value here: ${reason}`)
      const placeholder = attribute === undefined ? logicalId : written
      return isLetThrough ? TemplateNodes.scalar(placeholder, place) : { _tag: "Unknown", place }
    }

    const resource = resources().get(logicalId)
    if (resource === undefined) {
      if (isGenerated(logicalId, resources())) {
        return missing("only AWS's own translator makes it")
      }
      const known = [...scope().parameters.keys(), ...resources().keys()]
      const meant = Suggestion.of(logicalId, known)
      return scope().report.problem(place, `there is no parameter or resource "${logicalId}"${meant}`)
    }
    if (!resource.isCreated) {
      return scope().report.problem(place, `${logicalId} is not created: its Condition is false`)
    }
    if (resource.support._tag !== "Honoured") {
      return missing(`${resource.type} is not created here`)
    }
    const answer = namings[resource.support.type].attributes[attribute ?? ""]
    if (answer === undefined) {
      return missing(`nothing stands for it among what ${resource.type} becomes`)
    }
    const name = nameOf(resource)
    return name === undefined ? { _tag: "Unknown", place } : TemplateNodes.scalar(answer(name, region), place)
  }

  return { find, nameOf }
}

/** Logical ids of resources that AWS's translator adds to a template: `ServerlessRestApi`, `OrdersRole`, `Orders.Alias`. */
const isGenerated = (logicalId: string, resources: ReadonlyMap<string, TemplateResource>): boolean =>
  /^Serverless(Rest|Http)Api/.test(logicalId) ||
  [...resources.values()].some(
    ({ logicalId: parent, type }) =>
      type.startsWith("AWS::Serverless::") &&
      /^(Role|\.|Alias|Version|Url|.*(Stage|Deployment|Permission))/.test(after(parent, logicalId))
  )

const after = (prefix: string, whole: string): string => (whole.startsWith(prefix) ? whole.slice(prefix.length) : "")
