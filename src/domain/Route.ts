/** Which function answers a method and a path. */
import type { FunctionName } from "./FunctionName.ts"

export interface Route {
  /** Upper case; `ANY` answers every method. */
  readonly method: string
  /** `/orders/{id}`, `/files/{proxy+}`. */
  readonly path: string
  readonly functionName: FunctionName
  /** Whether a caller needs a token: as the template says, or as the Gateway's `ROUTE_AUTH` says for all. */
  readonly authorization: "none" | "jwt" | undefined
}

/** Which routes want a token: all that are not open by the template, or only those that the template guards. */
export type RouteAuthentication = "jwt" | "template"

/** Whether a caller needs a token. A path without a route is guarded like a route of which nothing is said. */
export const wantsToken = (route: Route | undefined, authentication: RouteAuthentication): boolean =>
  authentication === "jwt" ? route?.authorization !== "none" : route?.authorization === "jwt"

export interface RouteMatch {
  readonly route: Route
  /** Values of `{name}` and `{name+}`, still percent-encoded as they were received: so does API Gateway hand them on. */
  readonly pathParameters: Readonly<Record<string, string>>
}

/** Routes prepared for matching. */
export interface RouteTable {
  readonly routes: ReadonlyArray<Route>
  /**
   * The most specific match of a raw path without its query: literal segments before `{name}` before `{name+}`, a named
   * method before `ANY`. HEAD falls back to GET. Slashes in front count as one, a slash at the end counts as none.
   */
  readonly match: (method: string, path: string) => RouteMatch | undefined
}

/** A route and the names of its path parameters, in order. */
interface Leaf {
  readonly route: Route
  readonly names: ReadonlyArray<string>
}

/** One segment of the paths that begin alike. */
interface Node {
  readonly literals: Map<string, Node>
  parameter: Node | undefined
  /** By method: routes that end here. */
  readonly ends: Map<string, Leaf>
  /** By method: routes that take all further segments, at least one. */
  readonly greedy: Map<string, Leaf>
}

const node = (): Node => ({ literals: new Map(), parameter: undefined, ends: new Map(), greedy: new Map() })

const parameterForm = /^\{([A-Za-z0-9._-]+)(\+?)\}$/

const segmentsOf = (path: string): Array<string> => {
  let start = 0
  while (path[start] === "/") {
    start++
  }
  const end = path.endsWith("/") ? path.length - 1 : path.length
  return start >= end ? [] : path.slice(start, end).split("/")
}

/** Why a path cannot be a route; `undefined` when it can. The rules are those of API Gateway's resources. */
export const pathObjection = (path: string): string | undefined => {
  if (!path.startsWith("/")) {
    return "a path begins with /"
  }
  const segments = segmentsOf(path)
  const names = new Set<string>()
  for (const [position, segment] of segments.entries()) {
    const [, name, plus] = parameterForm.exec(segment) ?? []
    if (name === undefined && /[{}]/.test(segment)) {
      return `${segment}: a parameter is a whole segment, {name} or {name+}`
    }
    if (segment === "") {
      return "a path has no empty segments"
    }
    if (plus === "+" && position < segments.length - 1) {
      return `${segment}: a greedy parameter is the last segment`
    }
    if (name !== undefined && names.has(name)) {
      return `${segment}: a parameter occurs once`
    }
    if (name !== undefined) {
      names.add(name)
    }
  }
  return undefined
}

/** The first of two routes that answer the same calls wins. */
const insert = (root: Node, route: Route): void => {
  let at = root
  let ends = root.ends
  const names: Array<string> = []
  for (const segment of segmentsOf(route.path)) {
    const [, name, plus] = parameterForm.exec(segment) ?? []
    if (name !== undefined) {
      names.push(name)
    }
    if (plus === "+") {
      ends = at.greedy
      break
    }
    const known = name === undefined ? at.literals.get(segment) : at.parameter
    const next = known ?? node()
    if (name === undefined) {
      at.literals.set(segment, next)
    } else {
      at.parameter = next
    }
    at = next
    ends = next.ends
  }
  const method = route.method.toUpperCase()
  if (!ends.has(method)) {
    ends.set(method, { route, names })
  }
}

const ofMethod = (leaves: ReadonlyMap<string, Leaf>, method: string): Leaf | undefined =>
  leaves.get(method) ?? (method === "HEAD" ? leaves.get("GET") : undefined) ?? leaves.get("ANY")

const decoded = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    // Not an encoding of anything: it can only be itself.
    return segment
  }
}

interface Found {
  readonly leaf: Leaf
  readonly values: ReadonlyArray<string>
}

/** Visits each node at most once, so its cost is bounded by the number of routes whatever the path. */
const find = (
  at: Node,
  method: string,
  segments: ReadonlyArray<string>,
  position: number,
  values: ReadonlyArray<string>
): Found | undefined => {
  const segment = segments[position]
  if (segment === undefined) {
    const leaf = ofMethod(at.ends, method)
    return leaf === undefined ? undefined : { leaf, values }
  }
  const literal = at.literals.get(segment) ?? (segment.includes("%") ? at.literals.get(decoded(segment)) : undefined)
  const specific = literal === undefined ? undefined : find(literal, method, segments, position + 1, values)
  if (specific !== undefined || segment === "") {
    return specific
  }
  const single =
    at.parameter === undefined ? undefined : find(at.parameter, method, segments, position + 1, [...values, segment])
  if (single !== undefined) {
    return single
  }
  const leaf = ofMethod(at.greedy, method)
  return leaf === undefined ? undefined : { leaf, values: [...values, segments.slice(position).join("/")] }
}

const none: Readonly<Record<string, string>> = {}

/** Prepares routes for matching. Paths to which {@link pathObjection} objects match nothing sensible: refuse them before. */
export const table = (routes: ReadonlyArray<Route>): RouteTable => {
  const root = node()
  for (const route of routes) {
    insert(root, route)
  }
  return {
    routes,
    match: (method, path) => {
      const found = find(root, method, segmentsOf(path), 0, [])
      if (found === undefined) {
        return undefined
      }
      const { leaf, values } = found
      return {
        route: leaf.route,
        pathParameters:
          leaf.names.length === 0 ? none : Object.fromEntries(leaf.names.map((name, at) => [name, values[at] ?? ""]))
      }
    }
  }
}
