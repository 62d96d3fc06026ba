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

export interface RouteMatch {
  readonly route: Route
  /** Decoded values of `{name}` and `{name+}`. */
  readonly pathParameters: Readonly<Record<string, string>>
}

/** Routes prepared for matching. */
export interface RouteTable {
  readonly routes: ReadonlyArray<Route>
  /** The most specific match: literal segments before `{name}` before `{name+}`, a named method before `ANY`. HEAD falls back to GET. */
  readonly match: (method: string, path: string) => RouteMatch | undefined
}
