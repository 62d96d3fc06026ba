/** The machine that this process runs on, with whatever rights the process has. */
import { Deferred, Effect, Layer, Result } from "effect"
import { execFile, spawn, type ChildProcess, type ExecFileException } from "node:child_process"
import { lookup } from "node:dns/promises"
import { access, mkdir, readFile, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { networkInterfaces } from "node:os"
import * as Subnet from "#domain/Subnet"
import { type Attached, Machine, MachineRefused, type Program } from "#services/Machine"

const longestRunMs = 15_000
const answersWithinMs = 2_000
const looksUpWithin = "2 seconds"
const outputLimitBytes = 1_048_576

const attempt = <A>(path: string, action: () => Promise<A>) =>
  Effect.tryPromise({
    try: action,
    catch: (cause) => new MachineRefused({ what: path, detail: cause instanceof Error ? cause.message : String(cause) })
  })

const detailOf = ({ code, killed, message }: ExecFileException, stderr: string): string => {
  if (code === "ENOENT") return "there is no such command"
  // Too much output ends it as well, and has a code that says so.
  if (killed === true && typeof code !== "string") return `it did not end within ${longestRunMs / 1000} s`
  return stderr.trim() || message
}

const run = (command: string, ...args: ReadonlyArray<string>) =>
  Effect.callback<string, MachineRefused>((resume) => {
    // One that ignores a gentler word would never be heard of again.
    const limits = { timeout: longestRunMs, killSignal: "SIGKILL", maxBuffer: outputLimitBytes } as const
    const child = execFile(command, [...args], { ...limits, encoding: "utf8" }, (error, stdout, stderr) => {
      if (error === null) return resume(Effect.succeed(stdout))
      resume(Effect.fail(new MachineRefused({ what: [command, ...args].join(" "), detail: detailOf(error, stderr) })))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const networks = Effect.sync(() =>
  Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.flatMap(({ cidr, family, internal }): ReadonlyArray<Attached> => {
      if (internal || family !== "IPv4" || cidr === null) return []
      const subnet = Subnet.parse(cidr)
      return Result.isSuccess(subnet) ? [{ name, subnet: subnet.success }] : []
    })
  )
)

const answers = (socketPath: string) =>
  Effect.callback<boolean>((resume) => {
    const socket = connect({ path: socketPath })
    const end = (isThere: boolean) => {
      socket.destroy()
      resume(Effect.succeed(isThere))
    }
    socket.setTimeout(answersWithinMs, () => end(false))
    socket.once("connect", () => end(true)).once("error", () => end(false))
    return Effect.sync(() => socket.destroy())
  })

const stop = (child: ChildProcess, ended: Effect.Effect<string>, { endsWithin }: Program) =>
  Effect.suspend(() => {
    // One that was never started, or that has ended, hears nothing.
    child.kill("SIGTERM")
    return Effect.timeoutOrElse(ended, {
      duration: endsWithin,
      orElse: () =>
        Effect.andThen(
          Effect.sync(() => child.kill("SIGKILL")),
          ended
        )
    })
  })

const start = Effect.fnUntraced(function* (program: Program) {
  const { args, command, environment } = program
  const end = yield* Deferred.make<string>()
  const ended = Deferred.await(end)
  const finish = (how: string) => Deferred.doneUnsafe(end, Effect.succeed(how))
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(command, [...args], {
        env: { ...process.env, ...environment },
        stdio: ["ignore", "inherit", "inherit"],
        // A signal for all processes of a terminal is for us to hand on, in the order in which they have to end.
        detached: true
      })
      child.once("error", (cause) => finish(`it could not be started: ${cause.message}`))
      child.once("exit", (code, signal) =>
        finish(signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`)
      )
      return child
    }),
    (child) => stop(child, ended, program)
  )
  return { ended }
})

export const layer: Layer.Layer<Machine> = Layer.succeed(Machine, {
  read: (path) => attempt(path, () => readFile(path, "utf8")),
  write: (path, text) => attempt(path, () => writeFile(path, text)),
  exists: (path) =>
    Effect.promise(() =>
      access(path).then(
        () => true,
        () => false
      )
    ),
  makeDirectory: (path) => attempt(path, async () => void (await mkdir(path, { recursive: true }))),
  run,
  networks,
  answers,
  lookUp: (host) =>
    Effect.tryPromise(() => lookup(host, { family: 4, all: true })).pipe(
      Effect.map((found) => found.map(({ address }) => address)),
      Effect.timeout(looksUpWithin),
      // Who is not known yet may be later: the caller asks again.
      Effect.orElseSucceed((): ReadonlyArray<string> => [])
    ),
  start
})
