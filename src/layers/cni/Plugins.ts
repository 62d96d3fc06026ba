/**
 * Asks plugins for their part of a network, one after the other, as the Container Network Interface has it: the question in the
 * environment and at stdin, the answer or the reason for none on stdout.
 *
 * @see https://www.cni.dev/docs/spec/#section-2-execution-protocol
 */
import { Effect, Option, Schedule, Schema } from "effect"
import { isIPv4 } from "node:net"
import { join } from "node:path"
import * as Conflist from "#domain/Conflist"
import type { CniSettings } from "./CniSettings.ts"
import { run } from "./Command.ts"

/** What workers call their interface. */
const interfaceName = "eth0"

/** A plugin refused, could not be run, or answered in another language. */
class PluginFailed extends Schema.TaggedError<PluginFailed>()("PluginFailed", { message: Schema.String }) {}

/** What is known to help when it is asked for again: a race within the plugins for an interface that they have just made. */
const passing = "link not found"
const again = { times: 4, schedule: Schedule.exponential("100 millis") }

const Refusal = Schema.fromJsonString(
  Schema.Struct({ code: Schema.Int, msg: Schema.String, details: Schema.optionalKey(Schema.String) })
)
const decodeRefusal = Schema.decodeUnknownOption(Refusal)

/** As versions 0.3 to 1.0 tell it. The plugins behind read all of it, so that nothing is taken away. */
export const Answer = Schema.StructWithRest(
  Schema.Struct({
    ips: Schema.Array(Schema.StructWithRest(Schema.Struct({ address: Schema.String }), [Schema.JsonObject])),
    interfaces: Schema.optionalKey(
      Schema.Array(
        Schema.StructWithRest(Schema.Struct({ name: Schema.String, sandbox: Schema.optionalKey(Schema.String) }), [
          Schema.JsonObject
        ])
      )
    )
  }),
  [Schema.JsonObject]
)
export type Answer = typeof Answer.Type
const decodeAnswer = Schema.decodeUnknownOption(Schema.fromJsonString(Answer))

/** The first of version four, without the length of its network. */
export const addressIn = ({ ips }: Answer): string | undefined =>
  ips.map(({ address }) => address.split("/")[0] ?? "").find((address) => isIPv4(address))

/** The machine's ends of the pairs whose other ends are in the worker's namespace; the bridge is none. */
export const machineEnds = ({ interfaces = [] }: Answer, bridge: string): ReadonlyArray<string> =>
  interfaces.flatMap(({ name, sandbox = "" }) => (sandbox === "" && name !== bridge ? [name] : []))

export interface Subject {
  readonly name: string
  readonly path: string
}

type Verb = "ADD" | "CHECK" | "DEL"
type Plugin = Conflist.Conflist["plugins"][number]

const longestWords = 300
const shortened = (text: string): string => text.trim().slice(0, longestWords)

export const make = (settings: CniSettings) => {
  const ask = Effect.fnUntraced(function* (verb: Verb, subject: Subject, plugin: Plugin, told: Schema.Json) {
    const what = `${plugin.type} ${verb} ${subject.name}`
    const failed = (message: string) => new PluginFailed({ message: `${what}: ${message}` })
    const environment = {
      CNI_COMMAND: verb,
      CNI_CONTAINERID: subject.name,
      CNI_NETNS: subject.path,
      CNI_IFNAME: interfaceName,
      CNI_PATH: settings.pluginDirectory
    }
    const program = join(settings.pluginDirectory, plugin.type)
    const { code, stderr, stdout } = yield* run(settings, { program, environment, input: JSON.stringify(told) }).pipe(
      Effect.mapError(({ message }) => failed(message))
    )
    if (code === 0) return stdout
    return yield* Option.match(decodeRefusal(stdout), {
      onSome: ({ code, details = "", msg }) => failed([msg, details, `(code ${code})`].filter(Boolean).join(" ")),
      onNone: () => failed(shortened(stderr) || shortened(stdout) || `code ${code ?? "of a signal"}`)
    })
  })

  const tellEach = (verb: "CHECK" | "DEL", list: Conflist.Conflist, subject: Subject, answer: Answer | undefined) =>
    Effect.forEach(
      verb === "DEL" ? list.plugins.toReversed() : list.plugins,
      (plugin) => ask(verb, subject, plugin, Conflist.ofPlugin(list, plugin, answer)),
      { discard: true }
    )

  const remove = (list: Conflist.Conflist, subject: Subject, answer: Answer | undefined) =>
    tellEach("DEL", list, subject, answer)

  const addOnce = Effect.fnUntraced(function* (list: Conflist.Conflist, subject: Subject) {
    let answer: Answer | undefined
    for (const plugin of list.plugins) {
      const written = yield* ask("ADD", subject, plugin, Conflist.ofPlugin(list, plugin, answer))
      answer = Option.getOrUndefined(decodeAnswer(written))
      if (answer === undefined) {
        const said = shortened(written) || "nothing"
        return yield* new PluginFailed({ message: `${plugin.type} ADD ${subject.name} answered ${said}` })
      }
    }
    if (answer === undefined || addressIn(answer) === undefined) {
      return yield* new PluginFailed({ message: `${list.name}: no plugin gave ${subject.name} an IPv4 address` })
    }
    return answer
  })

  /** What the last plugin answered. After a failure the plugins were asked to take back what they had done. */
  const add = (list: Conflist.Conflist, subject: Subject) =>
    addOnce(list, subject).pipe(
      // Who asks for it again, or removes the namespace, needs no word of what could not be taken back: it is looked for later.
      Effect.tapError(() => Effect.ignore(remove(list, subject, undefined), { log: "Debug" })),
      Effect.retry({ ...again, while: ({ message }) => message.toLowerCase().includes(passing) })
    )

  const check = (list: Conflist.Conflist, subject: Subject, answer: Answer) => tellEach("CHECK", list, subject, answer)

  return { add, remove, check }
}
