/** An engine of containers without any: it does what it is asked, or fails as a test tells it, and keeps count. */
import { Effect, Layer, Redacted, Result } from "effect"
import { type ContainerExit, noUsage } from "#domain/HeldContainer"
import { OwnerId } from "#domain/Worker"
import { FunctionName } from "#domain/FunctionName"
import {
  ContainerEngine,
  type ContainerListener,
  type EngineContainer,
  type EngineFailure,
  type FoundContainer
} from "#services/ContainerEngine"
import { type Door, RuntimeApi } from "#services/RuntimeApi"
import { WorkerProtocols } from "#services/WorkerProtocols"

/** What is asked for of a container. */
export type Deed = "prepare" | "run" | "freeze" | "thaw" | "remove"

/** What may come to nothing: a look is no deed. */
type Asked = Deed | "look"

export interface ScriptedContainer {
  readonly name: string
  state: "made" | "running" | "frozen" | "ended"
}

const address = "10.0.0.2"

const exited: ContainerExit = {
  status: { code: undefined, signal: "SIGKILL", outOfMemory: false, extension: undefined },
  code: 137,
  atUnixSeconds: 1
}

const failure = (kind: NonNullable<EngineFailure["kind"]>): EngineFailure => ({
  _tag: "ScriptedFailure",
  message: `the engine has ${kind} it`,
  kind
})

export const make = () => {
  const containers = new Map<string, ScriptedContainer>()
  const deeds: Array<string> = []
  const failing = new Map<string, NonNullable<EngineFailure["kind"]>>()
  const listeners: Array<ContainerListener> = []
  let freezesAfter: Effect.Effect<void> = Effect.void
  /** How many are made until one ends before anybody knows that it was made. */
  let endsAfter = Number.POSITIVE_INFINITY

  /** Done in any case where nobody hears of it. */
  const act = (deed: Deed, name: string, done: () => void): Effect.Effect<void, EngineFailure> =>
    Effect.suspend(() => {
      deeds.push(deed)
      const kind = failing.get(deed) ?? failing.get(`${deed} ${name}`)
      if (kind !== "refused" && kind !== "unreached") done()
      return kind === undefined ? Effect.void : Effect.fail(failure(kind))
    })

  const look = (name: string): Effect.Effect<boolean, EngineFailure> =>
    Effect.suspend(() => {
      const kind = failing.get(`look ${name}`)
      return kind === undefined ? Effect.succeed(containers.get(name)?.state === "frozen") : Effect.fail(failure(kind))
    })

  const become = (name: string, state: ScriptedContainer["state"]) => (): void => {
    containers.set(name, { name, state })
  }

  const end = (name: string): void => {
    become(name, "ended")()
    for (const { onEnd } of listeners) onEnd(name)
  }

  const handle = (name: string, door: Door): EngineContainer => {
    const known: Pick<EngineContainer, "stays" | "wasOutOfMemory"> & {
      isRemoved: boolean
      exit: ContainerExit | undefined
    } = { isRemoved: false, stays: false, wasOutOfMemory: false, exit: undefined }
    return Object.assign(known, {
      name,
      door,
      networkName: undefined,
      run: Effect.as(act("run", name, become(name, "running")), address),
      look: Effect.map(look(name), (isFrozen) => {
        if (containers.get(name)?.state === "ended") known.exit = exited
        return isFrozen
      }),
      freeze: Effect.andThen(
        Effect.suspend(() => freezesAfter),
        act("freeze", name, become(name, "frozen"))
      ),
      thaw: act("thaw", name, become(name, "running")),
      ended: () => Effect.never,
      remove: act("remove", name, () => {
        containers.delete(name)
        known.isRemoved = true
      }),
      usage: Effect.succeed(noUsage),
      measure: Effect.void,
      isDearToMeasure: () => false,
      limitCpu: () => Effect.void,
      startExtension: () => Effect.succeed({ ended: Effect.never }),
      failBy: () => Effect.void
    })
  }

  const found = ({ name, state }: ScriptedContainer): FoundContainer => ({
    name,
    read: Effect.succeed(
      state === "made"
        ? Result.fail("it does not run")
        : Result.succeed({
            functionName: FunctionName.make("hello"),
            owner: OwnerId.make("mine"),
            specHash: "one",
            settings: { handler: "", runtime: undefined, memoryMiB: 128, timeoutMs: 3_000 },
            door: undefined,
            imageDigest: "sha256:1",
            entrypoint: [],
            address,
            isPaused: state === "frozen",
            createdAtUnixSeconds: 1,
            takeOver: (door: Door) => Effect.as(Effect.sync(become(name, "running")), handle(name, door))
          })
    ),
    remove: act("remove", name, () => containers.delete(name))
  })

  const engine = Layer.succeed(
    ContainerEngine,
    ContainerEngine.of({
      title: "the script",
      isReachable: () => true,
      image: () =>
        Effect.succeed({
          digest: "sha256:1",
          entrypoint: [],
          extensionNames: () => Effect.succeed([]),
          prepare: ({ door, name }) =>
            Effect.acquireRelease(
              Effect.map(act("prepare", name, become(name, "made")), () => {
                endsAfter -= 1
                if (endsAfter === 0) end(name)
                return handle(name, door)
              }),
              (container) => (container.stays ? Effect.void : Effect.ignore(container.remove))
            )
        }),
      list: Effect.sync(() => [...containers.values()].map(found)),
      listen: (listener) => {
        listeners.push(listener)
        return Effect.andThen(listener.onConnected, Effect.never)
      },
      removeNetworks: () => Effect.void
    })
  )

  return {
    /** What it has, whoever made it. */
    containers,
    deeds,
    engine,
    /** From now on, until it is `undefined`, this comes to nothing, or nobody hears what it came to (`lost`). */
    fail: (deed: Asked, kind: EngineFailure["kind"], name?: string): void => {
      const what = name === undefined ? deed : `${deed} ${name}`
      if (kind === undefined) failing.delete(what)
      else failing.set(what, kind)
    },
    /** The one that is made after so many others ends at once, and whoever listens hears of that first. */
    endMadeAfter: (others: number): void => {
      endsAfter = others + 1
    },
    /** From now on containers are frozen only when this has come to its end. */
    freezeAfter: (wait: Effect.Effect<void>): void => {
      freezesAfter = wait
    },
    /** Whoever listens is heard again, after a time of which nobody has told. */
    reconnect: Effect.suspend(() => Effect.forEach(listeners, ({ onConnected }) => onConnected, { discard: true })),
    /** Somebody else freezes it, and whoever listens hears of it. */
    freezePast: (name: string): void => {
      become(name, "frozen")()
      for (const { onFrozen } of listeners) onFrozen(name)
    }
  }
}

/** Doors that nobody knocks at, of workers that are ready at once. */
const doors = Layer.succeed(
  RuntimeApi,
  RuntimeApi.of({
    open: () =>
      Effect.succeed({
        endpoint: "10.0.0.1:20000",
        address: { host: "10.0.0.1", port: 20_000 },
        token: Redacted.make("token"),
        admit: () => undefined,
        contacted: Effect.void,
        output: () => undefined,
        measured: () => undefined,
        callCount: () => 0,
        lastCallAtUnixMs: () => undefined,
        shutdown: () => 0,
        exited: () => undefined
      }),
    ready: () => Effect.void,
    invoke: () => Effect.die("nobody calls them"),
    phase: () => "idle"
  })
)

const protocols = Layer.succeed(
  WorkerProtocols,
  WorkerProtocols.of({ namesDoor: true, settle: () => Effect.succeed("runtime-api") })
)

export const others = Layer.merge(doors, protocols)
