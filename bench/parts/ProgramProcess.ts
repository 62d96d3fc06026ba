/** A program of `dist` as a process of its own, which tells where it answers and ends with the scope. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"

export interface ProgramProcess {
  readonly url: string
  readonly pid: number
}

/** Answers when this returns. */
export const start = Effect.fnUntraced(function* (
  name: "agent" | "gateway",
  environment: Readonly<Record<string, string>>
) {
  const program = fileURLToPath(new URL(`../../dist/${name}.js`, import.meta.url))
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [program], {
        env: { ...process.env, ...environment, ESB_READY_FD: "3" },
        stdio: ["ignore", "inherit", "inherit", "pipe"]
      })
    ),
    (child) =>
      Effect.promise(
        () =>
          new Promise((resolve) => {
            child.once("exit", resolve)
            child.kill("SIGTERM")
          })
      )
  )
  const line = yield* Effect.promise(
    () =>
      new Promise<string>((resolve, reject) => {
        createInterface({ input: child.stdio[3] as Readable }).once("line", resolve)
        child.once("exit", (code) => reject(new Error(`the ${name} ended with ${code}`)))
      })
  )
  const { url } = JSON.parse(line) as { readonly url: string }
  return { url, pid: child.pid ?? 0 } satisfies ProgramProcess
})
