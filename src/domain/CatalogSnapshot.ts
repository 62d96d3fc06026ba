/** Which functions and routes there are at one moment. */
import { Result } from "effect"
import { FunctionNotFound } from "./Failure.ts"
import * as FunctionArn from "./FunctionArn.ts"
import type { FunctionName } from "./FunctionName.ts"
import type { FunctionSpec } from "./FunctionSpec.ts"
import { type Route, type RouteTable, table } from "./Route.ts"

/** One consistent state of the catalog. */
export interface CatalogSnapshot {
  readonly functions: ReadonlyMap<FunctionName, FunctionSpec>
  readonly routes: RouteTable
  /** Names the text that says so, where there is one: whoever wrote it can tell whether it is in force. */
  readonly revision: string | undefined
}

export const make = (
  functions: ReadonlyArray<FunctionSpec>,
  routes: ReadonlyArray<Route>,
  revision?: string
): CatalogSnapshot => ({
  functions: new Map(functions.map((spec) => [spec.name, spec])),
  routes: table(routes),
  revision
})

const latest = "$LATEST"

/** Nothing is versioned here: `$LATEST` and no qualifier are the same, and there is no other. */
export const find = (
  snapshot: CatalogSnapshot,
  region: string,
  name: string,
  qualifier: string = latest
): Result.Result<FunctionSpec, FunctionNotFound> => {
  // Text that cannot be a name is the name of nothing.
  const spec = qualifier === latest ? snapshot.functions.get(name as FunctionName) : undefined
  return spec === undefined
    ? Result.fail(new FunctionNotFound({ functionName: name, arn: FunctionArn.of(region, name, qualifier) }))
    : Result.succeed(spec)
}
