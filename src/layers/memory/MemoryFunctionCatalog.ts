/** A catalog that says what it was told last. */
import { Context, Effect, Layer, SubscriptionRef } from "effect"
import * as CatalogSnapshot from "#domain/CatalogSnapshot"
import type { FunctionSpec } from "#domain/FunctionSpec"
import type { Route } from "#domain/Route"
import { FunctionCatalog } from "#services/FunctionCatalog"

export interface Deployment {
  readonly functions: ReadonlyArray<FunctionSpec>
  readonly routes: ReadonlyArray<Route>
}

/** Says what is deployed from now on: the other side of a catalog in memory. */
export class MemoryDeployment extends Context.Service<
  MemoryDeployment,
  {
    readonly replace: (deployment: Deployment) => Effect.Effect<void>
  }
>()("esb/layers/memory/MemoryFunctionCatalog/MemoryDeployment") {}

/** `region` is written into the ARN of a function that is not there. */
export const layer = (initial: Deployment = { functions: [], routes: [] }, region = "us-east-1") =>
  Layer.effectContext(
    Effect.gen(function* () {
      const state = yield* SubscriptionRef.make(CatalogSnapshot.make(initial.functions, initial.routes))
      const current = () => SubscriptionRef.getUnsafe(state)
      return Context.empty().pipe(
        Context.add(FunctionCatalog, {
          find: (name, qualifier) => Effect.fromResult(CatalogSnapshot.find(current(), region, name, qualifier)),
          current,
          changes: SubscriptionRef.changes(state)
        }),
        Context.add(MemoryDeployment, {
          replace: ({ functions, routes }) => SubscriptionRef.set(state, CatalogSnapshot.make(functions, routes))
        })
      )
    })
  )
