/**
 * From a SAM or CloudFormation template to the stack it asks for. Pure: reading the file is somebody else's work, and so is
 * looking whether the paths in it exist.
 */
import { Result } from "effect"
import { account } from "./FunctionArn.ts"
import { isImage, type Stack, type StackFunction } from "./Stack.ts"
import * as TemplateApis from "./TemplateApis.ts"
import type { Destination } from "./TemplateAsynchronous.ts"
import * as TemplateBuckets from "./TemplateBuckets.ts"
import * as TemplateConditions from "./TemplateConditions.ts"
import type { Architecture, TemplateContext } from "./TemplateContext.ts"
import * as TemplateFields from "./TemplateFields.ts"
import type { TemplateFunction } from "./TemplateFunction.ts"
import * as TemplateFunctionReader from "./TemplateFunction.ts"
import * as TemplateGlobals from "./TemplateGlobals.ts"
import { TemplateInvalid } from "./TemplateInvalid.ts"
import * as TemplateLayers from "./TemplateLayers.ts"
import type { TemplateMap, TemplatePath } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import * as TemplateParameters from "./TemplateParameters.ts"
import * as TemplateReferences from "./TemplateReferences.ts"
import type { TemplateReport } from "./TemplateReport.ts"
import * as TemplateReports from "./TemplateReport.ts"
import type { TemplateResource } from "./TemplateResources.ts"
import * as TemplateResources from "./TemplateResources.ts"
import type { TemplateParameter, TemplateScope } from "./TemplateScope.ts"
import * as TemplateSections from "./TemplateSections.ts"
import * as TemplateSupport from "./TemplateSupport.ts"
import * as TemplateTables from "./TemplateTables.ts"
import * as TemplateUniqueness from "./TemplateUniqueness.ts"

export interface TemplateRequest {
  /** For messages. */
  readonly file: string
  /** Parsed YAML or JSON; short tags such as `!Ref` in their long form. */
  readonly document: unknown
  /** The 1-based line of a value, by its keys and positions from the root. */
  readonly lineOf: (path: TemplatePath) => number
  readonly parameters: Readonly<Record<string, string>>
  readonly region?: string
  readonly stackName?: string
  /** Of the machine that will run the functions. */
  readonly architecture?: Architecture
  /** What is refused becomes a warning, and is left out. */
  readonly allowUnsupported?: boolean
}

/** Reads on after a problem, and fails with all of them. */
export const resolve = (request: TemplateRequest): Result.Result<Stack, TemplateInvalid> => {
  const root = TemplateNodes.fromDocument(request.document, request.lineOf)
  if (Result.isFailure(root)) {
    return Result.fail(new TemplateInvalid({ file: request.file, problems: [root.failure] }))
  }
  const report = TemplateReports.make(request.allowUnsupported ?? false)
  const stack = readStack(request, TemplateSections.read(root.success, report), report)
  const [first, ...others] = report.problems()
  return first === undefined
    ? Result.succeed({ ...stack, warnings: report.warnings() })
    : Result.fail(new TemplateInvalid({ file: request.file, problems: [first, ...others] }))
}

const readStack = (
  request: TemplateRequest,
  sections: TemplateSections.TemplateSections,
  report: TemplateReport
): Omit<Stack, "warnings"> => {
  const region = request.region ?? "us-east-1"
  const globals = TemplateGlobals.read(sections.globals, report)
  const parameters = new Map([
    ...TemplateParameters.resolve(sections.parameters, request.parameters, report),
    ...pseudoParameters(region, request.stackName ?? "esb")
  ])
  const conditions = TemplateConditions.make(sections.conditions, { report, parameters, mappings: sections.mappings })
  conditions.decideAll()

  let resources: ReadonlyMap<string, TemplateResource> = new Map()
  const references = TemplateReferences.make(
    region,
    () => resources,
    () => scope
  )
  const scope: TemplateScope = {
    report,
    parameters,
    mappings: sections.mappings,
    condition: conditions.decide,
    resource: references.find
  }
  resources = TemplateResources.read(sections.resources, globals, scope)
  return assemble(
    { scope, resources, ...references, architecture: request.architecture },
    globals.get(TemplateApis.type)
  )
}

/** @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html */
const pseudoParameters = (region: string, stackName: string): ReadonlyMap<string, TemplateParameter> =>
  new Map<string, TemplateParameter>([
    ["AWS::AccountId", account],
    ["AWS::NotificationARNs", []],
    ["AWS::Partition", "aws"],
    ["AWS::Region", region],
    [
      "AWS::StackId",
      `arn:aws:cloudformation:${region}:${account}:stack/${stackName}/00000000-0000-0000-0000-000000000000`
    ],
    ["AWS::StackName", stackName],
    ["AWS::URLSuffix", "amazonaws.com"]
  ])

const assemble = (context: TemplateContext, globalsOfApis: TemplateMap | undefined): Omit<Stack, "warnings"> => {
  const functions: Array<TemplateFunction> = []
  const layers: Array<Stack["layers"][number]> = []
  const tables: Array<Stack["tables"][number]> = []
  const buckets: Array<Stack["buckets"][number]> = []
  const keep = <A>(list: Array<A>, item: A | undefined) => list.push(...(item === undefined ? [] : [item]))

  if (globalsOfApis !== undefined) {
    TemplateApis.check(context, globalsOfApis)
  }
  for (const resource of context.resources.values()) {
    if (!resource.isCreated || resource.support._tag !== "Honoured") {
      continue
    }
    const { type } = resource.support
    TemplateFields.check(context.scope, resource.properties, TemplateSupport.properties[type])
    switch (type) {
      case "AWS::Serverless::Function":
      case "AWS::Lambda::Function":
        keep(functions, TemplateFunctionReader.read(context, resource, globalsOfApis))
        break
      case "AWS::Serverless::LayerVersion":
      case "AWS::Lambda::LayerVersion":
        keep(layers, TemplateLayers.read(context, resource))
        break
      case "AWS::DynamoDB::Table":
      case "AWS::Serverless::SimpleTable":
        keep(tables, TemplateTables.read(context, resource))
        break
      case "AWS::S3::Bucket":
        keep(buckets, TemplateBuckets.read(context, resource))
        break
      case "AWS::Serverless::Api":
        TemplateFields.required(context.scope, resource.properties, "StageName")
        TemplateApis.check(context, resource.properties)
        break
    }
  }
  TemplateUniqueness.checkNames(context)
  const routes = TemplateUniqueness.distinctRoutes(
    context.scope.report,
    functions.flatMap((found) => found.routes)
  )
  const layerIds = new Set(layers.map(({ logicalId }) => logicalId))
  return {
    functions: functions.map((found) => complete(context, found, functions, layerIds)),
    layers,
    routes: routes.map(({ route }) => route),
    tables,
    buckets
  }
}

/** A function among the others: its destinations and layers are those that are in the stack. */
const complete = (
  { scope }: TemplateContext,
  { stackFunction, asynchronous }: TemplateFunction,
  functions: ReadonlyArray<TemplateFunction>,
  layerIds: ReadonlySet<string>
): StackFunction => {
  const find = (destination: Destination | undefined) => {
    const isThere = functions.some((other) => other.stackFunction.name === destination?.functionName)
    if (destination !== undefined && !isThere) {
      scope.report.unsupported(destination.place, `there is no function "${destination.functionName}" in this template`)
    }
    return isThere ? destination?.functionName : undefined
  }
  const { code } = stackFunction
  return {
    ...stackFunction,
    code: isImage(code) ? code : { ...code, layers: code.layers.filter((id) => layerIds.has(id)) },
    asynchronous: {
      ...asynchronous.policy,
      ...(asynchronous.onSuccess === undefined ? {} : { onSuccess: find(asynchronous.onSuccess) }),
      ...(asynchronous.onFailure === undefined ? {} : { onFailure: find(asynchronous.onFailure) })
    }
  }
}
