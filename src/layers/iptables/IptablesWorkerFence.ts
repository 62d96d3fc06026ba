/**
 * The fence by this machine's iptables: chains of its own, and one rule each that leads into them. Linux has two packet
 * filters behind that name; the engine's chains are in one of them, and asking the old one makes its tables. So it is asked only
 * where somebody has made them already.
 */
import { Effect, Layer, Option } from "effect"
import { readFile } from "node:fs/promises"
import { FenceUnavailable, WorkerFence } from "#services/WorkerFence"
import { CommandFailed, run } from "./Command.ts"
import * as FenceText from "./FenceText.ts"

/** Names of the filter that is asked first: systems that have only one call it by the second. */
const modern = ["iptables-nft", "iptables"]
const old = "iptables-legacy"

/** Tables that exist in the old one. */
const oldTables = "/proc/net/ip_tables_names"

/** Others write to the same tables: how long a command waits for its turn, and how often it is tried with new eyes. */
const waitSeconds = "5"
const triesAgain = 3

interface Filter {
  readonly command: string
  /** What `iptables -S` says. */
  readonly listing: string
}

const list = (command: string): Effect.Effect<Filter, CommandFailed> =>
  Effect.map(run(command, ["--wait", waitSeconds, "-S"]), (listing) => ({ command, listing }))

const [first = "", second = ""] = modern
const listModern = Effect.catchIf(
  list(first),
  ({ isMissing }) => isMissing,
  () => list(second)
)

const listOld: Effect.Effect<Option.Option<Filter>> = Effect.tryPromise(() => readFile(oldTables, "utf8")).pipe(
  Effect.map((names) => names.split("\n").includes("filter")),
  Effect.flatMap((isThere) => (isThere ? Effect.asSome(list(old)) : Effect.succeedNone)),
  // Where it cannot be looked at, nobody uses it.
  Effect.orElseSucceed(() => Option.none())
)

/** The filter that has a chain; the old one is looked at when the other has not. */
const filterWith = Effect.fnUntraced(function* (chain: string) {
  const present = yield* Effect.option(listModern)
  const has = ({ listing }: Filter) => FenceText.hasChain(listing, chain)
  const found = Option.filter(present, has)
  if (Option.isSome(found)) return found
  const other = Option.filter(yield* listOld, has)
  // Only now it matters why the first had nothing to say.
  if (Option.isNone(other) && Option.isNone(present)) yield* listModern
  return other
})

/** Of a machine that has an engine's rules in one of the filters: they are what has to be come before. */
const engineChain = "DOCKER-USER"

/** The machine's own chains are in both filters, an engine's in one. */
const filterFor = Effect.fnUntraced(function* (entry: string) {
  const ofEngine = yield* filterWith(engineChain)
  return Option.isSome(ofEngine) ? ofEngine : yield* filterWith(entry)
})

const apply = ({ command }: Filter, text: string) =>
  run(`${command}-restore`, ["--wait", waitSeconds, "--noflush"], text)

const asOne = <A>(change: Effect.Effect<A, CommandFailed | FenceUnavailable>) =>
  change.pipe(
    Effect.retry({ times: triesAgain, while: (failure) => failure._tag === "CommandFailed" && !failure.isMissing }),
    Effect.catchTag("CommandFailed", (cause) => Effect.fail(new FenceUnavailable({ detail: cause.message, cause }))),
    Effect.asVoid,
    Effect.uninterruptible
  )

export const layer: Layer.Layer<WorkerFence> = Layer.succeed(WorkerFence, {
  raise: Effect.fn("WorkerFence.raise")(function* (fence) {
    const change = Effect.gen(function* () {
      const filter = yield* filterFor(fence.entry)
      if (Option.isNone(filter)) {
        return yield* new FenceUnavailable({ detail: `this machine's iptables have no chain ${fence.entry}` })
      }
      return yield* apply(filter.value, FenceText.raised(filter.value.listing, fence))
    })
    yield* asOne(change)
  }),
  lower: Effect.fn("WorkerFence.lower")(function* (stack) {
    const change = Effect.gen(function* () {
      const filters = [Option.some(yield* listModern), yield* listOld]
      for (const { command, listing } of filters.flatMap(Option.toArray)) {
        const text = FenceText.lowered(listing, stack)
        if (text !== undefined) yield* apply({ command, listing }, text)
      }
    })
    yield* asOne(change)
  })
})
