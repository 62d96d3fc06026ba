/** containerd, and the Agent beside it: two programs, neither of which takes the other, or a worker, along when it ends. */
import { Duration, Effect, Fiber } from "effect"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import * as ContainerdConfig from "#domain/ContainerdConfig"
import { Machine } from "#services/Machine"
import * as FrozenWorkers from "./FrozenWorkers.ts"
import * as MachineFiles from "./MachineFiles.ts"
import type { RuntimeNodeSettings } from "./Settings.ts"
import { type Supervised, supervise } from "./Supervision.ts"

const root = "/var/lib/containerd"

/** What it tells of an ordinary day is for whoever looks for a fault. */
const levels = { debug: "debug", info: "warn", warn: "warn", warning: "warn", error: "error" }

const containerdEndsWithin = Duration.seconds(8)
/** Longer than its drain. */
const agentEndsAfterDrain = Duration.seconds(5)

const lookEvery = "50 millis"
const slowAfter = "30 seconds"

/** The directories that containerd expects. */
export const makeDirectories = Effect.fnUntraced(function* ({ containerdSocket }: RuntimeNodeSettings) {
  const { makeDirectory } = yield* Machine
  yield* Effect.forEach([dirname(containerdSocket), root], makeDirectory, { discard: true })
})

/** Beside the socket: it is written anew at every start. */
const configPath = Effect.fnUntraced(function* (values: RuntimeNodeSettings) {
  const given = MachineFiles.configOf(values)
  if (given !== undefined) return given
  const { write } = yield* Machine
  const { containerdSocket: socket, devmapperDirectory: directory, devmapperPool: name } = values
  const state = dirname(socket)
  const path = `${state}/config.toml`
  const pool = name === undefined ? undefined : { name, directory }
  yield* write(path, ContainerdConfig.write({ root, state, socket, pool }))
  return path
})

const containerd = (values: RuntimeNodeSettings, config: string): Supervised => ({
  name: "containerd",
  command: values.containerdBin,
  args: ["--config", config, "--address", values.containerdSocket, "--log-level", levels[values.logLevel]],
  // No udev makes nodes of disks in a container: the device mapper's library does it by itself.
  environment: { DM_DISABLE_UDEV: "1" },
  endsWithin: containerdEndsWithin,
  renewed: Effect.never
})

/**
 * `next` succeeds with the next SIGHUP. It ends this program never: not when nobody waits for it, nor while what it
 * renews is still ending.
 */
const hangUps = Effect.gen(function* () {
  const nobody = () => undefined
  let wake: () => void = nobody
  const hear = () => wake()
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("SIGHUP", hear)),
    () => Effect.sync(() => process.off("SIGHUP", hear))
  )
  const next = Effect.callback<void>((resume) => {
    const own = () => resume(Effect.void)
    wake = own
    return Effect.sync(() => {
      if (wake === own) wake = nobody
    })
  })
  return { next }
})

/** `dist` has it beside this program. */
const agentProgram = fileURLToPath(new URL("./agent.js", import.meta.url))

const agent = ({ agentRuntime, drainTimeout }: RuntimeNodeSettings, hangUp: Effect.Effect<void>): Supervised => ({
  name: "The Agent",
  command: process.execPath,
  args: [agentProgram],
  // Left to itself it looks for a Docker Engine.
  environment: { AGENT_RUNTIME: agentRuntime },
  endsWithin: Duration.sum(drainTimeout, agentEndsAfterDrain),
  renewed: hangUp
})

/** However long it takes: without containerd there is nothing else to do. */
const untilAnswering = Effect.fnUntraced(function* ({ containerdSocket }: RuntimeNodeSettings) {
  const { answers } = yield* Machine
  const waiting = Effect.gen(function* () {
    while (!(yield* answers(containerdSocket))) yield* Effect.sleep(lookEvery)
  })
  const complain = Effect.andThen(
    Effect.sleep(slowAfter),
    Effect.logWarning(`containerd does not answer at ${containerdSocket} after ${slowAfter}`)
  )
  yield* Effect.raceFirst(waiting, Effect.andThen(complain, Effect.never))
})

/** Never succeeds. Interrupting it ends the Agent first, then containerd. */
export const run = Effect.fn("RuntimeNode.runEngine")(function* (values: RuntimeNodeSettings) {
  const config = yield* configPath(values)
  const hangUp = yield* hangUps
  const engine = yield* Effect.forkScoped(supervise(containerd(values, config)))
  yield* Effect.addFinalizer(() => FrozenWorkers.release(values))
  const beside = Effect.gen(function* () {
    yield* untilAnswering(values)
    yield* Effect.logInfo(`containerd answers at ${values.containerdSocket}`)
    return yield* values.agent ? supervise(agent(values, hangUp.next)) : Effect.never
  })
  return yield* Effect.raceFirst(Fiber.join(engine), beside)
}, Effect.scoped)
