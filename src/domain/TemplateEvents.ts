/**
 * What calls a function: routes and schedules.
 * @see https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-eventsource.html
 */
import type { ScheduleSpec } from "./FunctionSpec.ts"
import type { Route } from "./Route.ts"
import * as Suggestion from "./Suggestion.ts"
import * as TemplateApis from "./TemplateApis.ts"
import * as TemplateAuthorization from "./TemplateAuthorization.ts"
import type { TemplateContext } from "./TemplateContext.ts"
import * as TemplateFields from "./TemplateFields.ts"
import * as TemplateIntrinsics from "./TemplateIntrinsics.ts"
import type { TemplateMap, TemplateNode, TemplatePlace } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import * as TemplateSchedules from "./TemplateSchedules.ts"
import * as TemplateSupport from "./TemplateSupport.ts"

/** A route to the function whose event it is, and where it is written. */
export interface RouteEvent extends Omit<Route, "functionName"> {
  readonly place: TemplatePlace
}

export interface TemplateEvents {
  readonly routes: ReadonlyArray<RouteEvent>
  readonly schedules: ReadonlyArray<ScheduleSpec>
}

const methods = ["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]

/** `globals` are those of APIs, for events of the implied one. */
export const read = (
  context: TemplateContext,
  properties: TemplateMap,
  globals: TemplateMap | undefined
): TemplateEvents => {
  const routes: Array<RouteEvent> = []
  const schedules: Array<ScheduleSpec> = []
  const events = TemplateFields.map(context.scope, properties, "Events")
  for (const written of events?.entries.values() ?? []) {
    const event = readType(context, written)
    if (event?.type === "Api") {
      const route = readRoute(context, event.properties, globals)
      routes.push(...(route === undefined ? [] : [route]))
    } else if (event !== undefined) {
      const schedule = TemplateSchedules.read(context.scope, event.type, event.properties)
      schedules.push(...(schedule === undefined ? [] : [schedule]))
    }
  }
  return { routes, schedules }
}

const readType = (
  { scope }: TemplateContext,
  written: TemplateNode
): { readonly type: TemplateSupport.HonouredEvent; readonly properties: TemplateMap } | undefined => {
  const event = TemplateIntrinsics.open(scope, written)
  if (event?._tag !== "Map") {
    if (event !== undefined && event._tag !== "Unknown") {
      scope.report.problem(event.place, `an event is a map with a Type, not ${TemplateNodes.describe(event)}`)
    }
    return undefined
  }
  TemplateFields.check(scope, event, { honoured: ["Type", "Properties"] })
  TemplateFields.required(scope, event, "Type")
  const type = TemplateFields.text(scope, event, "Type")
  if (type === undefined) {
    return undefined
  }
  const place = TemplateFields.placeOf(event, "Type")
  if (!isHonoured(type)) {
    const reason = TemplateSupport.refusedEvents[type]
    const known = [...Object.keys(TemplateSupport.events), ...Object.keys(TemplateSupport.refusedEvents)]
    if (reason === undefined) {
      scope.report.problem(place, `there is no event type "${type}"${Suggestion.of(type, known)}`)
    } else {
      scope.report.unsupported(place, `events of type ${type} are not supported: ${reason}`)
    }
    return undefined
  }
  TemplateFields.required(scope, event, "Properties")
  const properties = TemplateFields.map(scope, event, "Properties")
  if (properties === undefined) {
    return undefined
  }
  TemplateFields.check(scope, properties, TemplateSupport.events[type])
  return { type, properties }
}

const isHonoured = (type: string): type is TemplateSupport.HonouredEvent => Object.hasOwn(TemplateSupport.events, type)

const readRoute = (
  context: TemplateContext,
  event: TemplateMap,
  globals: TemplateMap | undefined
): RouteEvent | undefined => {
  const { scope } = context
  TemplateFields.required(scope, event, "Path")
  TemplateFields.required(scope, event, "Method")
  const path = TemplateFields.text(scope, event, "Path")
  const method = TemplateFields.text(scope, event, "Method")?.toUpperCase()
  const wrongPath = path === undefined ? undefined : faultOf(path)
  if (wrongPath !== undefined) {
    scope.report.problem(TemplateFields.placeOf(event, "Path"), wrongPath)
  }
  if (method !== undefined && !methods.includes(method)) {
    const meant = Suggestion.of(method, methods)
    scope.report.problem(TemplateFields.placeOf(event, "Method"), `there is no method "${method}"${meant}`)
  }
  const api = TemplateApis.ofEvent(context, event, globals)
  if (api === undefined || path === undefined || method === undefined) {
    return undefined
  }
  const authorization = TemplateAuthorization.decide(scope, api, event)
  return { method, path, authorization, place: event.place }
}

/** @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html#setup-method-resources */
const faultOf = (path: string): string | undefined => {
  if (!path.startsWith("/")) {
    return `Path begins with "/", and "${path}" does not`
  }
  const segments = path.split("/")
  const names = segments.flatMap((segment) => /^\{([A-Za-z0-9._:-]+)\+?\}$/.exec(segment)?.[1] ?? [])
  if (segments.some((segment) => /[{}]/.test(segment) && !/^\{[A-Za-z0-9._:-]+\+?\}$/.test(segment))) {
    return `a parameter of a path is a whole segment, {name} or {name+}: not as in "${path}"`
  }
  if (segments.slice(0, -1).some((segment) => segment.endsWith("+}"))) {
    return `{name+} takes the rest of a path, so it comes last: not as in "${path}"`
  }
  return new Set(names).size < names.length ? `"${path}" names two parameters alike` : undefined
}
