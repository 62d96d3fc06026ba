/**
 * One Agent for a stack and engine: two would take each other's workers for leftovers, and remove them. The engine itself keeps
 * the record of who it is, as the labels of a volume with nothing in it: a name there is taken by one alone, and it is there
 * after the engine has started again. The record of an Agent that has ended without taking it away is replaced.
 */
import { Effect, Layer, Option, Schema } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import { selectorLabels, type StackIdentity } from "#domain/StackIdentity"
import * as AgentPresence from "./AgentPresence.ts"
import { DockerApi, type EngineFailure, hasStatus } from "./DockerApi.ts"

/** Another Agent of the stack uses the engine, or may do so as far as anybody can tell. */
export class AnotherAgent extends Schema.TaggedError<AnotherAgent>()("AnotherAgent", {
  environment: Schema.String,
  /** Where it is. */
  where: Schema.String,
  isCertain: Schema.Boolean,
  volume: Schema.String
}) {
  override get message() {
    const rule = `One Agent is enough for a stack (ENV is ${this.environment}) and its engine`
    return this.isCertain
      ? `${rule}, and there is one ${this.where}: stop that one, or give this one another ENV or engine.`
      : `${rule}, and nobody here can tell whether one still lives ${this.where}. If it does not, say: docker volume rm ${this.volume}`
  }
}

/** What an engine takes no name with. */
const unfit = /[^a-zA-Z0-9_.-]+/g

export const volumeName = ({ brand, environment }: StackIdentity): string =>
  `${brand}-${environment.replace(unfit, "-")}-agent`

/** Of the volume: which Agent it is, as {@link AgentPresence} writes it. */
const agentLabel = ({ brand }: StackIdentity): string => `com.${brand}.agent`

const Record = Schema.fromJsonString(AgentPresence.AgentPresence)
const decode = Schema.decodeUnknownOption(Record)
const encode = Schema.encodeSync(Record)

/** Others may be at it at the same time. */
const tries = 5

const hold = Effect.fnUntraced(function* (identity: StackIdentity, home: string) {
  const { call, engine } = yield* DockerApi
  const mine = yield* AgentPresence.own(home)
  const record = encode(mine)
  const label = agentLabel(identity)
  const name = volumeName(identity)
  const volume = engine.getVolume(name)

  const recorded = call((abortSignal) => volume.inspect({ abortSignal })).pipe(
    Effect.map(({ Labels }) => Labels?.[label]),
    Effect.catchIf(hasStatus(404), () => Effect.undefined)
  )
  /** Where there is one of the name already, the engine leaves it as it is. */
  const write = call((abortSignal) =>
    engine.createVolume({ Name: name, Labels: { ...selectorLabels(identity), [label]: record }, abortSignal })
  )
  const erase = Effect.catchIf(
    call(() => volume.remove()),
    hasStatus(404),
    () => Effect.void
  )

  const take = Effect.gen(function* () {
    for (let tried = 0; tried < tries; tried++) {
      yield* write
      const found = yield* recorded
      if (found === record) return
      const other = Option.getOrUndefined(decode(found))
      const isAlive = other === undefined ? false : yield* AgentPresence.isAlive(other, mine)
      if (other !== undefined && isAlive !== false) {
        const about = { environment: identity.environment, volume: name, where: AgentPresence.describe(other) }
        return yield* new AnotherAgent({ ...about, isCertain: isAlive === true })
      }
      yield* erase
    }
    return yield* new RuntimeUnavailable({
      detail: `the volume ${name}, by which Agents know of each other, is not kept`
    })
  })

  yield* Effect.acquireRelease(take, () =>
    Effect.flatMap(recorded, (found) => (found === record ? Effect.asVoid(erase) : Effect.void)).pipe(
      // The next Agent finds out that this one is gone.
      Effect.ignore({ log: "Debug" })
    )
  )
})

const unavailable = (failure: EngineFailure): RuntimeUnavailable =>
  new RuntimeUnavailable({ detail: failure.message, cause: failure })

/** Fails where there is another one. `home` is the directory of this Agent's state. */
export const layer = (
  identity: StackIdentity,
  home: string
): Layer.Layer<never, AnotherAgent | RuntimeUnavailable, DockerApi> =>
  Layer.effectDiscard(
    Effect.catchTag(hold(identity, home), "EngineFailure", (failure) => Effect.fail(unavailable(failure)))
  )
