/** Whose worker it is: the question every engine asks before it touches one. */
import { Result } from "effect"
import { ContainerNotFound, NotOwner } from "./Failure.ts"
import type { ContainerId, OwnerId, Worker } from "./Worker.ts"

/** What an engine keeps of the worker of this id, when it is this owner's. */
export const find = <A extends { readonly worker: Worker }>(
  workers: ReadonlyMap<ContainerId, A>,
  id: ContainerId,
  owner: OwnerId
): Result.Result<A, ContainerNotFound | NotOwner> => {
  const held = workers.get(id)
  if (held === undefined) return Result.fail(new ContainerNotFound({ containerId: id }))
  return held.worker.owner === owner ? Result.succeed(held) : Result.fail(new NotOwner({ containerId: id }))
}
