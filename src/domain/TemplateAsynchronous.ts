/**
 * `EventInvokeConfig`: what becomes of an event whose function fails.
 * @see https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-eventinvokeconfiguration.html
 */
import { Result } from "effect"
import * as FunctionName from "./FunctionName.ts"
import * as FunctionReference from "./FunctionReference.ts"
import type { AsynchronousPolicy } from "./FunctionSpec.ts"
import * as TemplateFields from "./TemplateFields.ts"
import type { TemplateMap, TemplatePlace } from "./TemplateNode.ts"
import type { TemplateScope } from "./TemplateScope.ts"

export interface Destination {
  readonly functionName: FunctionName.FunctionName
  readonly place: TemplatePlace
}

export interface TemplateAsynchronous {
  readonly policy: Partial<Pick<AsynchronousPolicy, "retries" | "maxAgeMs">>
  /** Functions of this template, which is checked when all of them are known. */
  readonly onSuccess: Destination | undefined
  readonly onFailure: Destination | undefined
}

const kinds = ["Lambda", "SQS", "SNS", "EventBridge", "S3Bucket"] as const

export const read = (scope: TemplateScope, properties: TemplateMap): TemplateAsynchronous => {
  const config = TemplateFields.map(scope, properties, "EventInvokeConfig")
  if (config === undefined) {
    return { policy: {}, onSuccess: undefined, onFailure: undefined }
  }
  TemplateFields.check(scope, config, {
    honoured: ["DestinationConfig", "MaximumEventAgeInSeconds", "MaximumRetryAttempts"]
  })
  const maxAgeSeconds = TemplateFields.integer(scope, config, "MaximumEventAgeInSeconds", { min: 60, max: 21_600 })
  const retries = TemplateFields.integer(scope, config, "MaximumRetryAttempts", { min: 0, max: 2 })
  const destinations = TemplateFields.map(scope, config, "DestinationConfig")
  if (destinations !== undefined) {
    TemplateFields.check(scope, destinations, { honoured: ["OnSuccess", "OnFailure"] })
  }
  return {
    policy: {
      ...(maxAgeSeconds === undefined ? {} : { maxAgeMs: maxAgeSeconds * 1_000 }),
      ...(retries === undefined ? {} : { retries })
    },
    onSuccess: destinations === undefined ? undefined : destination(scope, destinations, "OnSuccess"),
    onFailure: destinations === undefined ? undefined : destination(scope, destinations, "OnFailure")
  }
}

const destination = (scope: TemplateScope, parent: TemplateMap, name: string): Destination | undefined => {
  const written = TemplateFields.map(scope, parent, name)
  if (written === undefined) {
    return undefined
  }
  TemplateFields.check(scope, written, { honoured: ["Type", "Destination"] })
  if (!TemplateFields.required(scope, written, "Type")) {
    return undefined
  }
  const kind = TemplateFields.choice(scope, written, "Type", kinds)
  const place = TemplateFields.placeOf(written, "Destination")
  if (kind !== undefined && kind !== "Lambda") {
    scope.report.unsupported(place, `destinations of type ${kind} are not supported: use the type Lambda`)
    return undefined
  }
  if (kind === undefined || !TemplateFields.required(scope, written, "Destination")) {
    return undefined
  }
  const target = TemplateFields.text(scope, written, "Destination")
  if (target === undefined) {
    return undefined
  }
  const region = scope.parameters.get("AWS::Region")
  const reference = FunctionReference.parse(target, undefined, typeof region === "string" ? region : "")
  if (Result.isSuccess(reference) && FunctionName.is(reference.success.name)) {
    return { functionName: reference.success.name, place }
  }
  scope.report.problem(place, `Destination is the ARN of a function, not "${target}"`)
  return undefined
}
