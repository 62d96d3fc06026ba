/** Files of a stack that a test changes as somebody at an editor does. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import type { Running } from "./RoutedStack.ts"

/** Rewrites a file of the stack. An edit that changes nothing is a mistake of the test. */
export const replace = (stack: Pick<Running, "directory">, path: string, from: string | RegExp, to: string) =>
  Effect.sync(() => {
    const file = join(stack.directory, path)
    const before = readFileSync(file, "utf8")
    const after = before.replace(from, to)
    if (after === before) throw new Error(`the edit leaves ${path} as it is`)
    writeFileSync(file, after)
  })

/** A resource of the template, by its logical id, with all that is indented below it. */
export const resource = (logicalId: string) => new RegExp(`^ {2}${logicalId}:\\n(?:(?: {4}.*)?\\n)*`, "m")
