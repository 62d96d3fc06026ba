/** What `esb doctor` looks for on this machine, one look each. */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { join } from "node:path"

export type Mode = "embedded" | "docker" | "containerd"

export interface Finding {
  /** Certificates are needed wherever a Gateway has an Agent. */
  readonly mode: Mode | "certificates"
  readonly what: string
  /**
   * `missing`: the mode does not work without; `expired`: it did, until a while ago; `advice`: something works less well, or not
   * for everybody, or not for much longer.
   */
  readonly state: "ok" | "missing" | "expired" | "advice"
  /** What was found. */
  readonly detail: string
  /** How to get it; empty when it is there. */
  readonly remedy: string
}

export type Check = Effect.Effect<Finding>

/** How long one look may take that does not say so. */
const patienceMs = 5000

interface Look {
  readonly mode: Mode
  readonly what: string
  /** Without it the mode still works. */
  readonly isOptional?: boolean
  readonly remedy: string
  readonly patienceMs?: number
  /** Resolves with what was found; rejects with what is wrong. */
  readonly look: () => Promise<string>
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

export const check = ({ isOptional = false, look, mode, patienceMs: within = patienceMs, remedy, what }: Look): Check =>
  Effect.tryPromise({ try: look, catch: messageOf }).pipe(
    Effect.timeoutOrElse({ duration: within, orElse: () => Effect.fail(`no answer within ${within / 1000} seconds`) }),
    Effect.match({
      onSuccess: (detail): Finding => ({ mode, what, state: "ok", detail, remedy: "" }),
      onFailure: (detail): Finding => ({ mode, what, state: isOptional ? "advice" : "missing", detail, remedy })
    })
  )

/** The first line that a command writes, which is ended when it takes longer. */
export const firstLineWithin = (timeout: number, command: string, ...args: ReadonlyArray<string>): Promise<string> =>
  new Promise((found, failed) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], timeout })
    let said = ""
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(0, 4096)
      })
    }
    child.on("error", () => failed(new Error(`${command} is not installed`)))
    child.on("close", (code) => {
      const [line = ""] = said.trim().split("\n")
      if (code === 0) found(line)
      else failed(new Error(line === "" ? `${command} ended with ${code}` : line))
    })
  })

/** The first line that a command writes. */
export const firstLineOf = (command: string, ...args: ReadonlyArray<string>): Promise<string> =>
  firstLineWithin(patienceMs, command, ...args)

/** That nobody has this port of an address. */
export const isFree = (port: number, host = "127.0.0.1"): Promise<string> =>
  new Promise((found, failed) => {
    const server = createServer()
    server.on("error", ({ code, message }: NodeJS.ErrnoException) =>
      failed(new Error(`port ${port} ${code === "EADDRINUSE" ? "is in use" : `cannot be had: ${code ?? message}`}`))
    )
    server.listen(port, host, () => server.close(() => found(`port ${port} is free`)))
  })

export const isWritable = async (directory: string): Promise<string> => {
  const probe = join(directory, `.probe-${process.pid}`)
  const made = await mkdir(directory, { recursive: true, mode: 0o700 })
  try {
    await writeFile(probe, "")
    return directory
  } finally {
    await rm(made ?? probe, { recursive: true, force: true })
  }
}

/** That a number of the kernel is not too small. */
export const kernelAllows = async (path: string, least: number): Promise<string> => {
  const value = Number(await readFile(path, "utf8"))
  if (value < least) throw new Error(`${value}, fewer than ${least}`)
  return String(value)
}
