/** Nothing in a stack may be called by two names, or two things by one. */
import type { Route } from "./Route.ts"
import type { TemplateContext } from "./TemplateContext.ts"
import type { TemplatePlace } from "./TemplateNode.ts"
import type { TemplateReport } from "./TemplateReport.ts"

/** A route and where it is written, to name both places when two are the same. */
export interface PlacedRoute {
  readonly route: Route
  readonly place: TemplatePlace
}

/** Names of functions, tables and buckets. */
export const checkNames = ({ scope, resources, nameOf }: TemplateContext): void => {
  const seen = new Map<string, TemplatePlace>()
  for (const resource of resources.values()) {
    const kind = kinds[resource.type]
    const name = resource.isCreated && kind !== undefined ? nameOf(resource) : undefined
    if (kind !== undefined && name !== undefined) {
      checkOne(scope.report, seen, `the ${kind} "${name}"`, resource.place)
    }
  }
}

const kinds: Readonly<Record<string, string>> = {
  "AWS::Serverless::Function": "function",
  "AWS::Lambda::Function": "function",
  "AWS::DynamoDB::Table": "table",
  "AWS::Serverless::SimpleTable": "table",
  "AWS::S3::Bucket": "bucket"
}

/**
 * The routes of all APIs of a template share one Gateway. Two are the same when one request could mean both: names of
 * parameters make no difference. When that is let through, the first one stays.
 */
export const distinctRoutes = (
  report: TemplateReport,
  routes: ReadonlyArray<PlacedRoute>
): ReadonlyArray<PlacedRoute> => {
  const seen = new Map<string, PlacedRoute>()
  for (const placed of routes) {
    const { method, path } = placed.route
    const key = `${method} ${path.replaceAll(/\{[^{}]*?(\+?)\}/g, "{$1}")}`
    const other = seen.get(key)
    if (other === undefined) {
      seen.set(key, placed)
    } else {
      report.unsupported(
        placed.place,
        `the route ${method} ${path} is already that of ${other.place.path} in line ${other.place.line}`
      )
    }
  }
  return [...seen.values()]
}

const checkOne = (
  report: TemplateReport,
  seen: Map<string, TemplatePlace>,
  thing: string,
  place: TemplatePlace
): void => {
  const other = seen.get(thing)
  if (other === undefined) {
    seen.set(thing, place)
  } else {
    report.problem(place, `${thing} is already that of ${other.path} in line ${other.line}`)
  }
}
