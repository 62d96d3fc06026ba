/**
 * Who may call a route, from the `Auth` of its API and its event:
 *
 * | the template says | the route |
 * | --- | --- |
 * | nothing | is as the Gateway's `ROUTE_AUTH` says for all |
 * | `Authorizer: NONE` over a `DefaultAuthorizer` | is open |
 * | a Cognito authorizer | takes tokens of the Gateway instead of the user pool's, with a warning |
 * | a Lambda authorizer, `AWS_IAM`, scopes, an API key, a policy, OpenAPI | is refused; let through, it takes tokens of the Gateway |
 *
 * What a template guards is never open by omission.
 * @see https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-api-apiauth.html
 */
import type { Route } from "./Route.ts"
import * as Suggestion from "./Suggestion.ts"
import * as TemplateFields from "./TemplateFields.ts"
import type { TemplateMap } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import type { TemplateScope } from "./TemplateScope.ts"

type Authorization = Route["authorization"]

const ofApi = {
  honoured: ["ApiKeyRequired", "Authorizers", "DefaultAuthorizer", "ResourcePolicy"],
  describes: ["AddApiKeyRequiredToCorsPreflight", "AddDefaultAuthorizerToCorsPreflight", "InvokeRole"],
  withoutEffect: { UsagePlan: "there are no API keys to count calls by" }
}

const ofEvent = {
  honoured: ["ApiKeyRequired", "AuthorizationScopes", "Authorizer", "ResourcePolicy"],
  describes: ["InvokeRole", "OverrideApiAuth"]
}

const keysAreNotChecked = "ApiKeyRequired is not supported: there are no API keys"
const policiesAreNotChecked = "ResourcePolicy is not supported: addresses and accounts are not checked"

/** Says what is wrong with the `Auth` of an API, also when no route uses it. */
export const check = (scope: TemplateScope, auth: TemplateMap | undefined): void => {
  if (auth === undefined) {
    return
  }
  TemplateFields.check(scope, auth, ofApi)
  TemplateFields.text(scope, auth, "DefaultAuthorizer")
  const authorizers = TemplateFields.map(scope, auth, "Authorizers")
  for (const name of authorizers?.entries.keys() ?? []) {
    const authorizer = authorizers === undefined ? undefined : TemplateFields.map(scope, authorizers, name)
    if (authorizer !== undefined) {
      TemplateFields.map(scope, authorizer, "Identity")
    }
  }
}

/** Properties of an API that may guard its routes, and are refused. */
const guards = ["DefinitionBody", "DefinitionUri", "Domain", "Policy"]

/** For the properties of an API and of an event that belongs to it. */
export const decide = (scope: TemplateScope, api: TemplateMap, event: TemplateMap): Authorization => {
  const ofThisApi = authOf(scope, api)
  const ofThisEvent = authOf(scope, event)
  TemplateFields.check(scope, ofThisEvent, ofEvent)

  const byName = authorizerOf(scope, ofThisApi, ofThisEvent)
  const isGuardedOtherwise = [
    guards.some((name) => TemplateFields.has(scope, api, name)),
    needsKey(scope, ofThisApi, ofThisEvent),
    refuse(scope, ofThisApi, "ResourcePolicy", policiesAreNotChecked),
    refuse(scope, ofThisEvent, "ResourcePolicy", policiesAreNotChecked),
    refuse(scope, ofThisEvent, "AuthorizationScopes", "AuthorizationScopes are not supported: tokens have no scopes")
  ].includes(true)
  if (isGuardedOtherwise && byName !== "jwt") {
    scope.report.warning(event.place, "the route takes tokens of the Gateway: what may guard it on AWS is left out")
  }
  return isGuardedOtherwise ? "jwt" : byName
}

const authOf = (scope: TemplateScope, parent: TemplateMap): TemplateMap =>
  TemplateFields.map(scope, parent, "Auth") ?? TemplateNodes.map(new Map(), parent.place)

const authorizerOf = (scope: TemplateScope, api: TemplateMap, event: TemplateMap): Authorization => {
  const own = TemplateFields.text(scope, event, "Authorizer")
  const standard = TemplateFields.text(scope, api, "DefaultAuthorizer")
  const from = own === undefined ? api : event
  const place = TemplateFields.placeOf(from, own === undefined ? "DefaultAuthorizer" : "Authorizer")
  const name = own ?? standard
  if (name === undefined) {
    return undefined
  }
  if (name === "NONE") {
    if (standard === undefined || own === undefined) {
      scope.report.problem(place, "NONE takes back a DefaultAuthorizer, and the API has none")
    }
    return "none"
  }
  if (name === "AWS_IAM") {
    scope.report.unsupported(place, "the authorizer AWS_IAM is not supported: routes take tokens, not signatures")
    return "jwt"
  }
  const authorizers = TemplateFields.map(scope, api, "Authorizers")
  const authorizer = authorizers === undefined ? undefined : TemplateFields.map(scope, authorizers, name)
  if (authorizer === undefined) {
    const meant = Suggestion.of(name, authorizers?.entries.keys() ?? [])
    scope.report.problem(place, `the API defines no authorizer "${name}"${meant}`)
  } else if (!TemplateFields.has(scope, authorizer, "UserPoolArn")) {
    scope.report.unsupported(authorizer.place, `the authorizer "${name}" is not supported: authorizers are not called`)
  } else {
    checkUserPool(scope, authorizer, name)
  }
  return "jwt"
}

/** Tokens are looked for where Cognito's are by default. */
const checkUserPool = (scope: TemplateScope, authorizer: TemplateMap, name: string): void => {
  scope.report.warning(
    authorizer.place,
    `routes behind "${name}" take tokens of the Gateway: there is no Cognito to ask about tokens of a user pool`
  )
  refuse(scope, authorizer, "AuthorizationScopes", "AuthorizationScopes are not supported: tokens have no scopes")
  const identity = TemplateFields.map(scope, authorizer, "Identity")
  const header = identity === undefined ? undefined : TemplateFields.text(scope, identity, "Header")
  if (header !== undefined && header.toLowerCase() !== "authorization") {
    scope.report.unsupported(authorizer.place, `tokens are not looked for in ${header}, only in Authorization`)
  }
}

const needsKey = (scope: TemplateScope, api: TemplateMap, event: TemplateMap): boolean => {
  const own = TemplateFields.boolean(scope, event, "ApiKeyRequired")
  const standard = TemplateFields.boolean(scope, api, "ApiKeyRequired")
  if (own === false && standard === undefined) {
    const place = TemplateFields.placeOf(event, "ApiKeyRequired")
    scope.report.problem(place, "ApiKeyRequired: false takes back the one of the API, and the API has none")
  }
  const isNeeded = own ?? standard ?? false
  if (isNeeded) {
    const place = TemplateFields.placeOf(own === undefined ? api : event, "ApiKeyRequired")
    scope.report.unsupported(place, keysAreNotChecked)
  }
  return isNeeded
}

const refuse = (scope: TemplateScope, auth: TemplateMap, name: string, message: string): boolean => {
  const isWritten = TemplateFields.has(scope, auth, name)
  if (isWritten) {
    scope.report.unsupported(TemplateFields.placeOf(auth, name), message)
  }
  return isWritten
}
