/** One engine at a time in a state directory: to each of two, the other's workers would be leftovers to be ended. */
import { Effect, Schema } from "effect"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import * as FileLock from "./FileLock.ts"

export class StateInUse extends Schema.TaggedError<StateInUse>()("StateInUse", {
  directory: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `The workers in ${this.directory} belong to another Gateway or Agent: give each an ESB_HOME of its own (${this.detail})`
  }
}

/** Until the scope ends. */
export const hold = Effect.fnUntraced(function* (directory: string) {
  const inUse = ({ message }: { readonly message: string }) => new StateInUse({ directory, detail: message })
  yield* Effect.try({
    try: () => mkdirSync(directory, { recursive: true, mode: 0o700 }),
    catch: (cause) => inUse(cause as NodeJS.ErrnoException)
  })
  yield* Effect.mapError(FileLock.hold(join(directory, "workers.lock")), inUse)
})
