/** The runtime node: makes a machine, or a container with a machine's rights, one that runs workers by containerd. */
import { Effect, Layer } from "effect"
import * as LinuxMachine from "#layers/machine/LinuxMachine"
import * as Logs from "#layers/telemetry/Logs"
import { LogSink } from "#services/LogSink"
import { launch } from "../Program.ts"
import * as Cgroups from "./Cgroups.ts"
import * as Devices from "./Devices.ts"
import * as Engine from "./Engine.ts"
import * as Forwarding from "./Forwarding.ts"
import * as Kernel from "./Kernel.ts"
import * as KernelFiles from "./KernelFiles.ts"
import * as MachineFiles from "./MachineFiles.ts"
import { type RuntimeNodeSettings, settings } from "./Settings.ts"

/** In the order it happens: nothing is started on a machine that cannot run workers. */
const serve = Effect.fn("RuntimeNode.serve")(function* (values: RuntimeNodeSettings) {
  yield* KernelFiles.open
  yield* Cgroups.delegate(values)
  yield* Kernel.forwardPackets
  yield* Kernel.computeChecksums
  yield* Effect.forkScoped(Kernel.routeToControl(values))
  yield* Devices.checkVsock(values)
  yield* MachineFiles.prepare(values)
  yield* Engine.makeDirectories(values)
  yield* Forwarding.open(values)
  yield* Devices.checkPool(values)
  return yield* Engine.run(values)
}, Effect.scoped)

/** The lines of this program are few, and go to the log of its container alone. */
const unkept = Layer.succeed(LogSink, {
  write: () => undefined,
  query: () => Effect.succeed([]),
  dropped: () => 0
})

const main = (values: RuntimeNodeSettings) => {
  const { logFormat: format, logLevel } = values
  const logs = Logs.layer({ name: "runtime-node", least: Logs.levelNamed(logLevel), format })
  return serve(values).pipe(Effect.provide(Layer.merge(LinuxMachine.layer, Layer.provide(logs, unkept))))
}

launch({
  name: "runtime-node",
  about:
    "Makes this machine, or a container with its rights, one that runs workers by containerd, and keeps containerd running.",
  notes: {
    "What it changes":
      "Control groups of the second version are handed on to workers. Packets are forwarded, and workers get out behind this " +
      "machine's address; in the networks that it is in itself they reach WORKER_REACH and nothing else. The rules of the packet " +
      "filter go when it ends.",
    "What it keeps running":
      "containerd, and with RUNTIME_NODE_AGENT=1 an Agent, told by the same environment: whichever ends is started again, and " +
      "workers go on. SIGHUP renews the Agent alone.",
    "How it stops":
      "SIGTERM and SIGINT: the Agent drains and ends, then containerd. Workers stay, unless a container ends with this program."
  },
  settings,
  main
})
