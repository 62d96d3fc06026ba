/**
 * Where an Agent can be asked whether it lives, by another one that may be in another container or on another machine. The
 * engine knows that of its containers. An Agent on a machine listens on that machine's loopback, which the kernel sees to the
 * end of, and says a word that nobody else knows.
 */
import { randomBytes } from "node:crypto"
import { readFileSync, readlinkSync } from "node:fs"
import { type AddressInfo, connect, createServer, type Server } from "node:net"
import { hostname } from "node:os"
import { Effect, Option, Schema, type Scope } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import { DockerApi, type EngineFailure, hasStatus } from "./DockerApi.ts"
import * as OwnContainer from "./OwnContainer.ts"

const InContainer = Schema.Struct({ container: Schema.String })
const OnMachine = Schema.Struct({
  machine: Schema.String,
  home: Schema.String,
  /** Which run of the kernel, and which of its networks, the port is of. */
  loopback: Schema.String,
  port: Schema.Int,
  word: Schema.String
})
type OnMachine = typeof OnMachine.Type

export const AgentPresence = Schema.Union([InContainer, OnMachine])
export type AgentPresence = typeof AgentPresence.Type

const wordBytes = 8
const listeners = { most: 16, answerWithin: "2 seconds" } as const

const orElse = (read: () => string, otherwise: string): string => {
  try {
    return read()
  } catch {
    // Only Linux has these files.
    return otherwise
  }
}

const ownLoopback = (): string => {
  const boot = orElse(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(), hostname())
  return `${boot} ${orElse(() => readlinkSync("/proc/self/ns/net"), "its network")}`
}

const listen = (word: string): Effect.Effect<number, RuntimeUnavailable, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Server, RuntimeUnavailable>((resume) => {
      const server = createServer((asking) => asking.on("error", () => asking.destroy()).end(word))
      server.maxConnections = listeners.most
      server.once("error", (cause) =>
        resume(Effect.fail(new RuntimeUnavailable({ detail: `nobody could ask this Agent: ${cause.message}`, cause })))
      )
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  ).pipe(Effect.map((server) => (server.address() as AddressInfo).port))

/** Of this process, whose state is in `home`, for as long as the scope lives. */
export const own = Effect.fnUntraced(function* (home: string) {
  const container = yield* OwnContainer.find
  if (Option.isSome(container)) return { container: container.value.id } satisfies AgentPresence
  const word = randomBytes(wordBytes).toString("hex")
  const port = yield* listen(word)
  return { machine: hostname(), home, loopback: ownLoopback(), port, word } satisfies AgentPresence
})

/** Whoever listens there now may be somebody else, who says something else or nothing. */
const isSaid = ({ port, word }: OnMachine): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    let heard = ""
    const socket = connect({ host: "127.0.0.1", port })
    socket.setEncoding("latin1").on("data", (text: string) => {
      heard = (heard + text).slice(0, 2 * word.length)
    })
    socket.on("error", () => socket.destroy())
    socket.once("close", () => resume(Effect.succeed(heard === word)))
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeoutOrElse({ duration: listeners.answerWithin, orElse: () => Effect.succeed(false) }))

/** `undefined`: nobody here can tell. */
export const isAlive = Effect.fnUntraced(function* (
  other: AgentPresence,
  mine: AgentPresence
): Effect.fn.Return<boolean | undefined, EngineFailure, DockerApi> {
  const { call, engine } = yield* DockerApi
  if ("container" in other) {
    if ("container" in mine && mine.container === other.container) return false
    return yield* call((abortSignal) => engine.getContainer(other.container).inspect({ abortSignal })).pipe(
      Effect.map(({ State }) => State.Running),
      Effect.catchIf(hasStatus(404), () => Effect.succeed(false))
    )
  }
  if ("container" in mine) return undefined
  if (other.loopback === mine.loopback) return yield* isSaid(other)
  // It was this one, before the machine was started anew.
  return other.machine === mine.machine && other.home === mine.home ? false : undefined
})

export const describe = (presence: AgentPresence): string =>
  "container" in presence
    ? `in the container ${presence.container.slice(0, 12)}`
    : `on ${presence.machine}, whose ESB_HOME is ${presence.home}`
