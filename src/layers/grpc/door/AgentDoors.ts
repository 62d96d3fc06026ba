/** The data doors of a Gateway's Agents. When the certificates change, new calls go over new connections. */
import { Clock, Context, Effect, FiberMap, Layer, Stream } from "effect"
import type { Worker } from "#domain/Worker"
import { Certificates } from "#services/Certificates"
import { AgentDoor, defaultLimits, type DoorLimits, originOf } from "./AgentDoor.ts"
import * as DoorConnector from "./DoorConnector.ts"
import type * as DoorExchange from "./DoorExchange.ts"

/** More Agents than a Gateway has. Beyond it the door that was opened first is closed, and opened again when it is called for. */
const mostDoors = 256

export class AgentDoors extends Context.Service<
  AgentDoors,
  {
    /** The door at the address of a worker. */
    readonly at: (address: Worker["address"]) => DoorExchange.Ask
  }
>()("esb/layers/grpc/door/AgentDoors") {}

export const layer = (given: Partial<DoorLimits> = {}): Layer.Layer<AgentDoors, never, Certificates> =>
  Layer.effect(
    AgentDoors,
    Effect.gen(function* () {
      const certificates = yield* Certificates
      const clock = yield* Clock.Clock
      const limits = { ...defaultLimits, ...given }
      const connect = DoorConnector.make(certificates.current, limits.connectLimitMs, limits.keepAliveMs)
      const doors = new Map<string, AgentDoor>()
      const retiring = new Set<AgentDoor>()
      yield* Effect.addFinalizer(() =>
        Effect.forEach([...doors.values(), ...retiring], (door) => door.destroy, { concurrency: "unbounded" })
      )
      const watches = yield* FiberMap.make<AgentDoor>()
      const fork = yield* FiberMap.runtime(watches)()

      /** Its watch goes on until the last call has ended. */
      const retire = (origin: string, door: AgentDoor): void => {
        doors.delete(origin)
        retiring.add(door)
        const gone = Effect.sync(() => void retiring.delete(door))
        fork(door, Effect.raceFirst(Effect.andThen(door.retire, gone), door.watch))
      }

      const open = (origin: string): AgentDoor => {
        const [first] = doors
        if (doors.size >= mostDoors && first !== undefined) retire(...first)
        const door = new AgentDoor(origin, connect, limits, clock)
        doors.set(origin, door)
        fork(door, door.watch)
        return door
      }

      const renewal = Stream.runForEach(certificates.changes, () =>
        Effect.sync(() => {
          for (const [origin, door] of doors) retire(origin, door)
        })
      )
      yield* Effect.forkScoped(renewal)

      return {
        at: (address) => {
          const origin = originOf(certificates.current(), address)
          return (doors.get(origin) ?? open(origin)).ask
        }
      }
    })
  )
