/** The Lambda Runtime API for every worker of this process: a door each, and the way from a container id to its door. */
import { Deferred, Effect, Layer, Redacted } from "effect"
import { randomBytes, randomInt } from "node:crypto"
import { RuntimeUnavailable, WorkerUnreachable } from "#domain/Failure"
import type { ContainerId } from "#domain/Worker"
import { LogSink } from "#services/LogSink"
import { type Door, type DoorSpec, type FormerDoor, RuntimeApi } from "#services/RuntimeApi"
import * as DoorListener from "./DoorListener.ts"
import * as DoorRoutes from "./DoorRoutes.ts"
import { defaults, type DoorSettings } from "./DoorSettings.ts"
import { WorkerDoor } from "./WorkerDoor.ts"

const tokenBytes = 16

/**
 * Each port of the range once before any comes again, so that a worker that outlives its door cannot poll its
 * successor's. The first is drawn, for the same reason across restarts.
 */
const portsOf = ({ ports: { first, last } }: DoorSettings): (() => number) => {
  const count = last - first + 1
  let at = randomInt(count)
  return () => {
    at = (at + 1) % count
    return first + at
  }
}

/** The port of a door of an earlier run, which its worker must still find in the same place. */
const formerPort = ({ endpoint }: FormerDoor, { advertisedHost, ports }: DoorSettings) => {
  const colon = endpoint.lastIndexOf(":")
  const port = Number(endpoint.slice(colon + 1))
  return endpoint.slice(0, colon) === advertisedHost && port >= ports.first && port <= ports.last
    ? Effect.succeed(port)
    : Effect.fail(
        new RuntimeUnavailable({
          detail: `no door can be at ${endpoint}: doors are at ${advertisedHost}, from ${ports.first} to ${ports.last}`
        })
      )
}

export const layer = (given: Partial<DoorSettings> = {}): Layer.Layer<RuntimeApi, never, LogSink> =>
  Layer.effect(
    RuntimeApi,
    Effect.gen(function* () {
      const settings: DoorSettings = { ...defaults, ...given }
      const sink = yield* LogSink
      const nextPort = portsOf(settings)
      const doors = new Map<ContainerId, WorkerDoor>()

      const open = Effect.fn("RuntimeApi.open")(function* (spec: DoorSpec, former?: FormerDoor) {
        const token = former === undefined ? randomBytes(tokenBytes).toString("hex") : Redacted.value(former.token)
        const bind =
          former === undefined
            ? DoorListener.anyOf(settings, nextPort)
            : DoorListener.only(settings, yield* formerPort(former, settings))
        const door = yield* Effect.acquireRelease(
          Effect.sync(() => {
            const made = new WorkerDoor(spec, settings, sink, former !== undefined)
            doors.set(spec.containerId, made)
            return made
          }),
          (made) =>
            Effect.sync(() => {
              doors.delete(spec.containerId)
              made.close()
            })
        )
        const contact = yield* Deferred.make<void>()
        const listener = yield* DoorListener.listen(settings, bind, token, (request, response) => {
          Deferred.doneUnsafe(contact, Effect.void)
          DoorRoutes.serve(door, request, response)
        })
        const address = { host: settings.advertisedHost, port: listener.port }
        return {
          endpoint: `${address.host}:${address.port}`,
          address,
          token: Redacted.make(token),
          admit: (from) => {
            door.admitted()
            listener.admit(from)
          },
          contacted: Deferred.await(contact),
          output: (chunk) => door.output.push(chunk),
          measured: (memoryBytes) => {
            door.memoryBytes = Math.max(door.memoryBytes, memoryBytes)
          },
          callCount: () => door.calls,
          lastCallAtUnixMs: () => door.lastCallAtUnixMs,
          shutdown: (reason, deadlineUnixMs) => door.shutdown(reason, deadlineUnixMs),
          exited: (status) => door.exited(status)
        } satisfies Door
      })

      const none = (id: ContainerId) =>
        Effect.fail(new WorkerUnreachable({ containerId: id, detail: "no such worker" }))

      return {
        open,
        ready: (id) =>
          Effect.callback((resume) => {
            const door = doors.get(id)
            if (door === undefined) return resume(none(id))
            const leave = door.ready(resume)
            return Effect.sync(leave)
          }),
        invoke: (id, invocation, stream) =>
          Effect.callback((resume) => {
            const door = doors.get(id)
            if (door === undefined) return resume(none(id))
            const leave = door.invoke(invocation, resume, stream)
            return Effect.sync(leave)
          }),
        phase: (id) => doors.get(id)?.phase
      }
    })
  )
