import { Effect } from "effect"

/** A module that only one command needs, read when that command runs: the others start without it. */
export const load = <M>(module: () => Promise<M>): Effect.Effect<M> => Effect.promise(module)
