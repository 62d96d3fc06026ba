/** What workers with disks, and workers that are virtual machines, need of this machine. */
import { Effect } from "effect"
import { Machine } from "#services/Machine"
import * as MachineFiles from "./MachineFiles.ts"
import { NodeRefused } from "./NodeRefused.ts"
import type { RuntimeNodeSettings } from "./Settings.ts"

const tries = 10
const tryEvery = "200 millis"

const vsock = "/dev/vhost-vsock"

/** By which virtual machines are spoken to. */
export const checkVsock = Effect.fnUntraced(function* (values: RuntimeNodeSettings) {
  if (!MachineFiles.isWanted(values)) return
  const { exists } = yield* Machine
  if (yield* exists(vsock)) return
  const lack = `There is no ${vsock}: modprobe vhost_vsock on this machine`
  if (values.vhostVsockRequired) return yield* new NodeRefused({ message: lack })
  yield* Effect.logWarning(lack)
})

/** The nodes in /dev of what the machine has: no udev makes them in a container. */
const makeNodes = Effect.fnUntraced(function* (pool: string) {
  const { exists, run } = yield* Machine
  for (let tried = 0; tried < tries; tried++) {
    yield* Effect.ignore(run("dmsetup", "mknodes"))
    if (yield* exists(`/dev/mapper/${pool}`)) return
    yield* Effect.sleep(tryEvery)
  }
})

export const checkPool = Effect.fnUntraced(function* ({ devmapperPool: pool }: RuntimeNodeSettings) {
  if (pool === undefined) return
  const { run } = yield* Machine
  yield* makeNodes(pool)
  yield* run("dmsetup", "status", pool).pipe(
    Effect.mapError(
      ({ message }) =>
        new NodeRefused({
          message: `DEVMAPPER_POOL is ${pool}, which this machine has not got: make it first (${message})`
        })
    )
  )
})
