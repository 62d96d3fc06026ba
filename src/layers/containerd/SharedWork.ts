/**
 * What several want done at the same time is done once, for all of them. It goes on as long as one of them waits; the next who
 * asks after its end has it done anew.
 */
import { Effect, Equal, Hash, RcMap, type Scope } from "effect"

/** Work is the same when it has the same name. */
class Work<A, E> implements Equal.Equal {
  readonly name: string
  readonly run: Effect.Effect<A, E, Scope.Scope>
  constructor(name: string, run: Effect.Effect<A, E, Scope.Scope>) {
    this.name = name
    this.run = run
  }
  [Equal.symbol](that: Equal.Equal): boolean {
    return that instanceof Work && that.name === this.name
  }
  [Hash.symbol](): number {
    return Hash.string(this.name)
  }
}

export const make = Effect.fnUntraced(function* <A, E>() {
  const underWay = yield* RcMap.make({ lookup: ({ run }: Work<A, E>) => Effect.scoped(run) })
  return (name: string, run: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
    Effect.scoped(RcMap.get(underWay, new Work(name, run)))
})
