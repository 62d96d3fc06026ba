/** A machine of files that a test says and commands that nobody runs, with a record of what it was told. */
import { Deferred, Effect, Layer } from "effect"
import { type Attached, Machine, MachineRefused, type Program } from "#services/Machine"

export interface Options {
  readonly files?: Readonly<Record<string, string>>
  readonly networks?: ReadonlyArray<Attached>
  /** Directories in a place that cannot be written to. */
  readonly closed?: ReadonlyArray<string>
  /** Answer of a command, by its words; `undefined`: it refuses. Others answer nothing. */
  readonly answers?: Readonly<Record<string, string | undefined>>
  /** Hosts that are known. */
  readonly hosts?: Readonly<Record<string, string>>
}

export interface Started {
  readonly program: Program
  /** It ends by itself. */
  readonly end: (how: string) => Effect.Effect<unknown>
}

export const make = ({ answers = {}, closed = [], files = {}, hosts = {}, networks = [] }: Options = {}) => {
  const there = new Map(Object.entries(files))
  const told: Array<string> = []
  const started: Array<Started> = []
  const refuse = (what: string) => new MachineRefused({ what, detail: "refused" })

  const layer = Layer.succeed(Machine, {
    read: (path) => {
      const text = there.get(path)
      return text === undefined ? Effect.fail(refuse(path)) : Effect.succeed(text)
    },
    write: (path, text) =>
      Effect.sync(() => {
        told.push(`${path} < ${text.trim()}`)
        there.set(path, text)
      }),
    exists: (path) => Effect.sync(() => there.has(path)),
    makeDirectory: (path) =>
      closed.includes(path) ? Effect.fail(refuse(path)) : Effect.sync(() => void told.push(`mkdir ${path}`)),
    run: (command, ...args) =>
      Effect.suspend(() => {
        const words = [command, ...args].join(" ")
        told.push(words)
        if (!(words in answers)) return Effect.succeed("")
        const answer = answers[words]
        return answer === undefined ? Effect.fail(refuse(words)) : Effect.succeed(answer)
      }),
    networks: Effect.sync(() => networks),
    // Whoever was started first listens.
    answers: () => Effect.sync(() => started.length > 0),
    lookUp: (host) => Effect.sync(() => (hosts[host] === undefined ? [] : [hosts[host]])),
    start: (program) =>
      Effect.gen(function* () {
        const how = yield* Deferred.make<string>()
        started.push({ program, end: (text) => Deferred.succeed(how, text) })
        yield* Effect.addFinalizer(() => Effect.sync(() => void told.push(`${program.command} is ended`)))
        return { ended: Deferred.await(how) }
      })
  })
  return { layer, told, started, write: (path: string, text: string) => there.set(path, text) }
}
