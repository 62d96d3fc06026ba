/**
 * The program of the launcher: a small process that starts the workers. A process is started by copying the page tables
 * of its parent, and that halts the parent: for 5 ms per 100 MB, measured, in which a Gateway answers nobody. The
 * launcher stays small. It also outlives a Gateway that is killed, by the moment it takes to kill all workers.
 */
import type { Socket } from "node:net"

/** What the launcher is asked. */
export interface LaunchRequest {
  readonly key: number
  readonly words: ReadonlyArray<string>
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
}

/** What the launcher tells of the process with this key: that it runs, that it cannot, or how it ended. */
export type LaunchNews =
  | { readonly _tag: "Started"; readonly key: number; readonly pid: number }
  | { readonly _tag: "Failed"; readonly key: number; readonly message: string }
  | {
      readonly _tag: "Ended"
      readonly key: number
      readonly code: number | null
      readonly signal: string | null
    }

/** The socket in the launcher's directory that takes outputs. It is told the key first, in a line of its own. */
export const outputName = "output"

/** Is sent to another process as text: it may not refer to anything outside itself. */
const main = (directory: string, outputPath: string): void => {
  const { spawn } = process.getBuiltinModule("node:child_process")
  const { rmSync } = process.getBuiltinModule("node:fs")
  const { connect } = process.getBuiltinModule("node:net")
  const leaders = new Set<number>()

  const tell = (news: LaunchNews): void => {
    if (process.connected) process.send?.(news)
  }

  const killGroup = (leader: number): void => {
    try {
      process.kill(-leader, "SIGKILL")
    } catch {
      // No process of the group is left.
    }
  }

  const start = (request: LaunchRequest, output: Socket): void => {
    const { environment, key, words } = request
    const fail = (error: Error): void => tell({ _tag: "Failed", key, message: error.message })
    const [program = "", ...rest] = words
    const child = spawn(program, rest, {
      cwd: request.directory,
      env: environment,
      detached: true,
      stdio: ["ignore", output, "ignore"]
    })
    output.destroy()
    child.once("error", fail)
    const { pid } = child
    if (pid === undefined) return
    leaders.add(pid)
    tell({ _tag: "Started", key, pid })
    child.once("exit", (code, signal) => {
      // Everything in the group ends with the process that was started.
      killGroup(pid)
      leaders.delete(pid)
      tell({ _tag: "Ended", key, code, signal })
    })
  }

  process.on("message", (request: LaunchRequest) => {
    const output = connect(outputPath)
    output.once("error", ({ message }) => tell({ _tag: "Failed", key: request.key, message }))
    output.write(`${request.key}\n`, () => start(request, output))
  })

  // Whoever asked for the workers is gone.
  process.once("disconnect", () => {
    for (const leader of leaders) killGroup(leader)
    rmSync(directory, { recursive: true, force: true })
    process.exit(0)
  })
}

/** For `node -e`: the launcher whose sockets are in this directory. */
export const sourceFor = (directory: string): string =>
  `(${main.toString()})(${JSON.stringify(directory)}, ${JSON.stringify(`${directory}/${outputName}`)})`
