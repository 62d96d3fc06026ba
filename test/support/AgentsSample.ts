/** The functions of the sample `agents`, in an image: all of them the same, which works as long as it is told and notes its runs. */
import { fileURLToPath } from "node:url"
import type * as AgentStack from "./AgentStack.ts"
import type * as BaseImages from "./BaseImages.ts"
import type { Environment } from "./BareServer.ts"

/** What is in the image beside its base. */
export const content = {
  task: fileURLToPath(new URL("../samples/agents/functions", import.meta.url)),
  handler: "calls.work"
}

/** A Gateway and an Agent with them. */
export interface Options {
  readonly base: BaseImages.BaseName
  readonly names: ReadonlyArray<string>
  readonly maxCapacity?: number
  /** Where the functions are not as here. */
  readonly entry?: AgentStack.FunctionEntry
  readonly agent?: Environment
  readonly gateway?: Environment
}

export const functions = (image: string, { entry, maxCapacity = 4, names }: Options): AgentStack.Functions => {
  const { handler } = content
  const scaling = { max_capacity: maxCapacity }
  // Weight follows memory, and other tests may use the machine.
  const weight = { memory_size: 1_024 }
  const ours = { image, handler, timeout: 10, scaling, asynchronous: { retries: 0 }, ...weight, ...entry }
  return Object.fromEntries(names.map((name) => [name, ours]))
}
