/**
 * `AWS::Serverless::Api`, written or implied, as far as routes need to know of it.
 * @see https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-api.html
 */
import * as TemplateAuthorization from "./TemplateAuthorization.ts"
import type { TemplateContext } from "./TemplateContext.ts"
import * as TemplateFields from "./TemplateFields.ts"
import type { TemplateMap } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import * as TemplateSupport from "./TemplateSupport.ts"

export const type = "AWS::Serverless::Api"

/** The API of events that name none. A template may spell it out under this name. */
const implicitId = "ServerlessRestApi"

/** Reports what is wrong with the properties of an API, or with the globals of all. */
export const check = ({ scope }: TemplateContext, properties: TemplateMap): void => {
  TemplateFields.check(scope, properties, TemplateSupport.properties[type])
  TemplateFields.boolean(scope, properties, "FailOnWarnings")
  TemplateAuthorization.check(scope, TemplateFields.map(scope, properties, "Auth"))
}

/** The properties of the API that an event belongs to; `undefined` when it names no API of this template, which has been reported. */
export const ofEvent = (
  context: TemplateContext,
  event: TemplateMap,
  globals: TemplateMap | undefined
): TemplateMap | undefined => {
  const { scope, resources } = context
  const written = event.entries.get("RestApiId")
  if (written === undefined || !TemplateFields.has(scope, event, "RestApiId")) {
    const spelledOut = resources.get(implicitId)
    if (spelledOut !== undefined && spelledOut.type !== type) {
      scope.report.problem(spelledOut.place, `${implicitId} is the name of the API of events that name none`)
    }
    return spelledOut?.properties ?? globals ?? TemplateNodes.map(new Map(), event.place)
  }
  const [name, argument] = TemplateNodes.intrinsicOf(written) ?? ["Ref", written]
  const logicalId = name === "Ref" && argument._tag === "Scalar" ? String(argument.value) : undefined
  if (logicalId === undefined) {
    scope.report.problem(written.place, "RestApiId is a Ref of an API of this template")
    return undefined
  }
  const api = resources.get(logicalId)
  if (api?.type === type && api.isCreated) {
    return api.properties
  }
  if (api?.support._tag === "Refused") {
    scope.report.unsupported(written.place, `${logicalId} is not an AWS::Serverless::Api, so the route is left out`)
    return undefined
  }
  scope.report.problem(
    written.place,
    `RestApiId needs an AWS::Serverless::Api, and "${logicalId}" is none that is created`
  )
  return undefined
}
