/** The control groups in which those of workers are made. Runtimes make them, and nobody but us removes them. */
import { Effect } from "effect"
import { readFile, rmdir } from "node:fs/promises"
import { join } from "node:path"
import * as MountTable from "#domain/MountTable"

/** Every hierarchy that there is: of the first version one for each controller, of the second one for all. */
const hierarchies = Effect.tryPromise(() => readFile(MountTable.path, "utf8")).pipe(
  Effect.map((text) =>
    MountTable.read(text).flatMap(({ point, type }) => (type === "cgroup" || type === "cgroup2" ? [point] : []))
  ),
  // Where there is nothing to read there are none.
  Effect.orElseSucceed((): ReadonlyArray<string> => [])
)

/** Removes those in which nobody is any more. `parent` is absolute, in every hierarchy. */
export const removeUnused = (parent: string): Effect.Effect<void> =>
  Effect.flatMap(hierarchies, (places) =>
    Effect.forEach(
      places,
      // The kernel keeps one that has others in it: those of workers who stay, or of another stack of the brand.
      (place) => Effect.ignore(Effect.tryPromise(() => rmdir(join(place, parent)))),
      { discard: true }
    )
  )
