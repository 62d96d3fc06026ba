/**
 * `AWS::Serverless::Function` and `AWS::Lambda::Function`, read into what the stack holds of them.
 * @see https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html
 */
import * as FunctionName from "./FunctionName.ts"
import type { StackFunction } from "./Stack.ts"
import * as TemplateAsynchronous from "./TemplateAsynchronous.ts"
import * as TemplateCode from "./TemplateCode.ts"
import type { TemplateContext } from "./TemplateContext.ts"
import * as TemplateEnvironment from "./TemplateEnvironment.ts"
import * as TemplateEvents from "./TemplateEvents.ts"
import * as TemplateFields from "./TemplateFields.ts"
import * as TemplateLayers from "./TemplateLayers.ts"
import type { TemplateMap } from "./TemplateNode.ts"
import type { TemplateResource } from "./TemplateResources.ts"
import type { TemplateScope } from "./TemplateScope.ts"
import type { PlacedRoute } from "./TemplateUniqueness.ts"

/** Where Lambda itself starts. */
const defaults = { timeoutSeconds: 3, memoryMiB: 128 }

/** Far above what a machine runs at once; AWS's own limit is that of an account. */
const maximumConcurrency = 100_000

export interface TemplateFunction {
  /** Its destinations are still to be checked against the functions of the whole stack. */
  readonly stackFunction: Omit<StackFunction, "asynchronous">
  readonly asynchronous: TemplateAsynchronous.TemplateAsynchronous
  readonly routes: ReadonlyArray<PlacedRoute>
}

/** A function that cannot be deployed is left out; why has been reported. */
export const read = (
  context: TemplateContext,
  resource: TemplateResource,
  globalsOfApis: TemplateMap | undefined
): TemplateFunction | undefined => {
  const { scope } = context
  const { logicalId, properties } = resource
  const name = readName(context, resource)
  const code = TemplateCode.ofFunction(scope, resource, TemplateLayers.ofFunction(context, properties))
  const timeoutSeconds = TemplateFields.integer(scope, properties, "Timeout", { min: 1, max: 900 })
  const memoryMiB = TemplateFields.integer(scope, properties, "MemorySize", { min: 128, max: 10_240 })
  const environment = TemplateEnvironment.read(scope, properties)
  const asynchronous = TemplateAsynchronous.read(scope, properties)
  const capacity = readCapacity(scope, properties)
  const events = TemplateEvents.read(context, properties, globalsOfApis)
  checkArchitecture(context, properties)
  checkAlias(scope, properties)
  if (name === undefined || code === undefined) {
    return undefined
  }
  return {
    stackFunction: {
      logicalId,
      name,
      code,
      timeoutMs: (timeoutSeconds ?? defaults.timeoutSeconds) * 1_000,
      memoryMiB: memoryMiB ?? defaults.memoryMiB,
      environment,
      ...capacity,
      schedules: events.schedules
    },
    asynchronous,
    routes: events.routes.map(({ place, ...route }) => ({ route: { ...route, functionName: name }, place }))
  }
}

const readName = (
  { scope, nameOf }: TemplateContext,
  resource: TemplateResource
): FunctionName.FunctionName | undefined => {
  const written = nameOf(resource)
  if (written === undefined) {
    return undefined
  }
  if (FunctionName.is(written)) {
    return written
  }
  scope.report.problem(
    TemplateFields.placeOf(resource.properties, "FunctionName"),
    `a function is named by 1 to 64 letters, digits, "-" or "_": not "${written}"`
  )
  return undefined
}

const readCapacity = (scope: TemplateScope, properties: TemplateMap) => {
  const range = { min: 0, max: maximumConcurrency }
  const maxCapacity = TemplateFields.integer(scope, properties, "ReservedConcurrentExecutions", range)
  const provisioned = TemplateFields.map(scope, properties, "ProvisionedConcurrencyConfig")
  if (provisioned !== undefined) {
    TemplateFields.check(scope, provisioned, { honoured: ["ProvisionedConcurrentExecutions"] })
    TemplateFields.required(scope, provisioned, "ProvisionedConcurrentExecutions")
  }
  const minCapacity =
    provisioned === undefined
      ? undefined
      : TemplateFields.integer(scope, provisioned, "ProvisionedConcurrentExecutions", { ...range, min: 1 })
  if (maxCapacity !== undefined && minCapacity !== undefined && minCapacity > maxCapacity) {
    scope.report.problem(
      TemplateFields.placeOf(properties, "ProvisionedConcurrencyConfig"),
      `${minCapacity} provisioned executions are more than the ${maxCapacity} reserved ones`
    )
  }
  return { maxCapacity, minCapacity }
}

const checkArchitecture = ({ scope, architecture }: TemplateContext, properties: TemplateMap): void => {
  const written = TemplateFields.texts(scope, properties, "Architectures")
  const place = TemplateFields.placeOf(properties, "Architectures")
  const [wanted] = written ?? []
  if (written !== undefined && (written.length !== 1 || (wanted !== "x86_64" && wanted !== "arm64"))) {
    scope.report.problem(place, "Architectures is a list of one: x86_64 or arm64")
  } else if (wanted !== undefined && architecture !== undefined && wanted !== architecture) {
    scope.report.warning(place, `this machine is ${architecture}: code compiled for ${wanted} does not run on it`)
  }
}

/** Properties that AWS refuses on a function that publishes no alias. */
const checkAlias = (scope: TemplateScope, properties: TemplateMap): void => {
  const alias = TemplateFields.has(scope, properties, "AutoPublishAlias")
    ? TemplateFields.text(scope, properties, "AutoPublishAlias")
    : ""
  const preference = TemplateFields.map(scope, properties, "DeploymentPreference")
  const isGradual = preference !== undefined && TemplateFields.boolean(scope, preference, "Enabled") !== false
  const needy = [
    "ProvisionedConcurrencyConfig",
    "VersionDeletionPolicy",
    ...(isGradual ? ["DeploymentPreference"] : [])
  ]
  for (const name of alias === "" ? needy : []) {
    if (TemplateFields.has(scope, properties, name)) {
      scope.report.problem(TemplateFields.placeOf(properties, name), `${name} needs AutoPublishAlias`)
    }
  }
}
