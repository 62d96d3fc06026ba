/** Which functions and routes there are now. */
import { Context, type Effect, type Stream } from "effect"
import type { CatalogSnapshot } from "#domain/CatalogSnapshot"
import type { FunctionNotFound } from "#domain/Failure"
import type { FunctionSpec } from "#domain/FunctionSpec"

export class FunctionCatalog extends Context.Service<
  FunctionCatalog,
  {
    /** `$LATEST` and no qualifier are the same; any other version or alias is not found. */
    readonly find: (name: string, qualifier: string | undefined) => Effect.Effect<FunctionSpec, FunctionNotFound>
    /** What is deployed now. A file that cannot be read leaves the last good state in place. */
    readonly current: () => CatalogSnapshot
    /** The current state first, then every later one. */
    readonly changes: Stream.Stream<CatalogSnapshot>
  }
>()("esb/services/FunctionCatalog") {}
