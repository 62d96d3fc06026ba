/** The launcher as this process sees it: a child that is asked to start processes, and the sockets of their output. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type Server, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type LaunchNews, type LaunchRequest, outputName, sourceFor } from "./LauncherProgram.ts"

export interface End {
  readonly code: number | undefined
  readonly signal: string | undefined
}

/** A process to be started, and who wants to know of it. */
export interface Charge {
  readonly words: ReadonlyArray<string>
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
  readonly onOutput: (chunk: Uint8Array) => void
  readonly onStarted: (pid: number) => void
  /** It never ran. */
  readonly onFailed: (message: string) => void
  /** It has ended, and what it wrote has been read. Its group is dead by then. */
  readonly onEnded: (end: End) => void
}

interface Held {
  readonly charge: Charge
  pid: number | undefined
  output: Socket | undefined
  end: End | undefined
  lastOutput: NodeJS.Timeout | undefined
}

/** Longer than any key. */
const keyLimitBytes = 32

const killed: End = { code: undefined, signal: "SIGKILL" }

const killGroup = (leader: number): void => {
  try {
    process.kill(-leader, "SIGKILL")
  } catch {
    // No process of the group is left.
  }
}

export class LauncherProcess {
  /** Settles when the launcher is gone, and everything that was started through it. */
  readonly gone: Promise<void>
  readonly #child: ChildProcess
  readonly #server: Server
  readonly #directory: string
  readonly #lastOutputMs: number
  readonly #held = new Map<number, Held>()
  #keys = 0

  constructor(lastOutputMs: number) {
    this.#lastOutputMs = lastOutputMs
    this.#directory = mkdtempSync(join(tmpdir(), "esb-launcher-"))
    this.#server = createServer((socket) => this.#receive(socket))
    this.#server.listen(join(this.#directory, outputName))
    // In a session of its own: Ctrl-C in a terminal is for this process, which ends its workers in good order.
    this.#child = spawn(process.execPath, ["--max-old-space-size=32", "-e", sourceFor(this.#directory)], {
      detached: true,
      env: {},
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    this.#child.on("message", (news: LaunchNews) => this.#hear(news))
    this.gone = new Promise((resolve) => {
      const over = (): void => {
        this.#close()
        resolve()
      }
      this.#child.once("exit", over)
      this.#child.once("error", over)
    })
  }

  get isThere(): boolean {
    return this.#child.connected
  }

  start(charge: Charge): void {
    const key = ++this.#keys
    const { directory, environment, words } = charge
    this.#held.set(key, { charge, pid: undefined, output: undefined, end: undefined, lastOutput: undefined })
    const request: LaunchRequest = { key, words, directory, environment }
    this.#child.send(request, (error) => {
      if (error !== null) this.#fail(key, error.message)
    })
  }

  /** It kills what it started, and ends. */
  dismiss(): void {
    if (this.#child.connected) this.#child.disconnect()
  }

  kill(): void {
    this.#child.kill("SIGKILL")
  }

  #hear(news: LaunchNews): void {
    const held = this.#held.get(news.key)
    if (held === undefined) return
    if (news._tag === "Failed") return this.#fail(news.key, news.message)
    if (news._tag === "Started") {
      held.pid = news.pid
      return held.charge.onStarted(news.pid)
    }
    held.end = { code: news.code ?? undefined, signal: news.signal ?? undefined }
    if (held.output?.destroyed === true) return this.#settle(news.key)
    // A process that left the group may hold the other end of the output for ever.
    held.lastOutput = setTimeout(() => this.#settle(news.key), this.#lastOutputMs)
  }

  /** The first line of an output names the process it comes from. */
  #receive(socket: Socket): void {
    let head = Buffer.alloc(0)
    const find = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk])
      const at = head.indexOf("\n")
      if (at === -1 && head.length <= keyLimitBytes) return
      socket.off("data", find)
      this.#assign(socket, Number(head.subarray(0, at).toString()), head.subarray(at + 1))
    }
    socket.on("data", find)
    // A connection that breaks is the end of an output like any other.
    socket.on("error", () => undefined)
  }

  #assign(socket: Socket, key: number, begun: Buffer): void {
    const held = this.#held.get(key)
    if (held === undefined) return void socket.destroy()
    held.output = socket
    if (begun.length > 0) held.charge.onOutput(begun)
    socket.on("data", held.charge.onOutput)
    socket.once("close", () => {
      if (held.end !== undefined) this.#settle(key)
    })
  }

  #settle(key: number): void {
    const held = this.#held.get(key)
    if (held?.end === undefined) return
    this.#held.delete(key)
    clearTimeout(held.lastOutput)
    held.output?.destroy()
    held.charge.onEnded(held.end)
  }

  #fail(key: number, message: string): void {
    const held = this.#held.get(key)
    if (held === undefined || held.pid !== undefined) return
    this.#held.delete(key)
    held.output?.destroy()
    held.charge.onFailed(message)
  }

  /** Without the launcher nobody learns how its processes end: they end now. */
  #close(): void {
    for (const [key, held] of this.#held) {
      if (held.pid === undefined) {
        this.#fail(key, "the launcher has ended")
        continue
      }
      killGroup(held.pid)
      held.end ??= killed
      this.#settle(key)
    }
    this.#server.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
