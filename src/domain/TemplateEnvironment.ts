/**
 * `Environment.Variables` under the rules of Lambda.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
 */
import * as TemplateFields from "./TemplateFields.ts"
import type { TemplateMap } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import type { TemplateScope } from "./TemplateScope.ts"

/** Of all names and values of a function together, as JSON. */
const maximumBytes = 4096

const reserved: ReadonlySet<string> = new Set([
  "AWS_ACCESS_KEY",
  "AWS_ACCESS_KEY_ID",
  "AWS_DEFAULT_REGION",
  "AWS_EXECUTION_ENV",
  "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
  "AWS_LAMBDA_FUNCTION_NAME",
  "AWS_LAMBDA_FUNCTION_VERSION",
  "AWS_LAMBDA_INITIALIZATION_TYPE",
  "AWS_LAMBDA_LOG_GROUP_NAME",
  "AWS_LAMBDA_LOG_STREAM_NAME",
  "AWS_LAMBDA_RUNTIME_API",
  "AWS_REGION",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "LAMBDA_RUNTIME_DIR",
  "LAMBDA_TASK_ROOT",
  "_HANDLER",
  "_X_AMZN_TRACE_ID"
])

const encoder = new TextEncoder()

export const read = (scope: TemplateScope, properties: TemplateMap): Readonly<Record<string, string>> => {
  const environment = TemplateFields.map(scope, properties, "Environment")
  if (environment === undefined) {
    return {}
  }
  TemplateFields.check(scope, environment, { honoured: ["Variables"] })
  const variables = TemplateFields.map(scope, environment, "Variables")
  if (variables === undefined) {
    return {}
  }
  const found: Record<string, string> = {}
  for (const [name, { place }] of variables.entries) {
    if (reserved.has(name)) {
      scope.report.problem(place, `${name} is reserved: Lambda sets it`)
    } else if (!/^[a-zA-Z][a-zA-Z0-9_]+$/.test(name)) {
      scope.report.problem(place, `a variable is named by a letter, then letters, digits and "_": not "${name}"`)
    } else {
      const value = TemplateFields.value(scope, variables, name)
      if (value?._tag === "Scalar") {
        found[name] = String(value.value)
      } else if (value !== undefined && value._tag !== "Unknown") {
        scope.report.problem(value.place, `${name} is a text, not ${TemplateNodes.describe(value)}`)
      }
    }
  }
  const bytes = encoder.encode(JSON.stringify(found)).length
  if (bytes > maximumBytes) {
    scope.report.problem(variables.place, `the variables take ${bytes} bytes as JSON; Lambda allows ${maximumBytes}`)
  }
  return found
}
