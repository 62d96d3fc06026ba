/** What else is on the machine and its engine: a stack starts beside it, or says what to set. */
import { Effect, type Result } from "effect"
import { existsSync } from "node:fs"
import { realpath } from "node:fs/promises"
import { networkInterfaces } from "node:os"
import { dirname, join } from "node:path"
import { DockerApi, type EngineFailure } from "#layers/docker/DockerApi"
import { ComposeEngineUnreachable } from "#services/ComposeStack"
import { CommandFailed } from "./Refusal.ts"
import type { ContainerMode, ContainerRun } from "./RunFile.ts"
import * as StackPorts from "./StackPorts.ts"
import type { StackSettings } from "./StackSettings.ts"
import * as WorkersBridge from "./WorkersBridge.ts"
import * as WorkersNet from "./WorkersNet.ts"

/** Where the Gateway of `compose/services.yml` has its configuration: of one home, and no other. */
const configuration = "/app/runtime-config"

/** Whose configuration a container goes by that has this mount; `undefined`: that of this home, or of one that is gone. */
const strangerIn = async (home: string, source: string | undefined): Promise<string | undefined> => {
  if (source === undefined || !existsSync(source)) return undefined
  const own = join(home, "config")
  return (await realpath(source)) === (await realpath(own).catch(() => own)) ? undefined : source
}

/** The containers of this project. Two homes of one name would take each other's. */
const refuseNamesake = Effect.fnUntraced(function* (home: string, { project }: ContainerRun) {
  const { call, engine } = yield* DockerApi
  const label = [`com.docker.compose.project=${project}`]
  const containers = yield* call((abortSignal) => engine.listContainers({ all: true, filters: { label }, abortSignal }))
  for (const { Mounts } of containers) {
    const source = Mounts.find(({ Destination }) => Destination === configuration)?.Source
    const stranger = yield* Effect.promise(() => strangerIn(home, source))
    if (stranger === undefined) continue
    return yield* new CommandFailed({
      message:
        `Another stack is called ${project} already, that of ${dirname(stranger)}: ` +
        "give this one a name of its own with ENV or PROJECT_NAME, and ports of its own, or take that one down"
    })
  }
  return containers
})

const refuseTakenPorts = Effect.fnUntraced(function* (settings: StackSettings, mode: ContainerMode) {
  const taken = yield* Effect.promise(() => StackPorts.taken(settings, mode))
  if (taken.length === 0) return
  return yield* new CommandFailed({
    message: `${StackPorts.told(taken)}: choose others with these variables, or end what has them`
  })
})

const interfaces = (): ReadonlyArray<WorkersNet.Neighbour> =>
  Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.flatMap(({ cidr }) => (cidr === null ? [] : [{ name, subnet: cidr }]))
  )

/** Of the engine. */
const networksThere = Effect.gen(function* () {
  const { call, engine } = yield* DockerApi
  const found = yield* call((abortSignal) => engine.listNetworks({ abortSignal }))
  return found.flatMap(({ IPAM, Name }): ReadonlyArray<WorkersNet.Neighbour> =>
    (IPAM?.Config ?? []).flatMap(({ Subnet }) => (Subnet === undefined ? [] : [{ name: Name, subnet: Subnet }]))
  )
})

const decided = <A>(choice: Result.Result<A, string>): Effect.Effect<A, CommandFailed> =>
  Effect.mapError(Effect.fromResult(choice), (message) => new CommandFailed({ message }))

const workersNet = (
  { project }: ContainerRun,
  asked: string | undefined,
  networks: ReadonlyArray<WorkersNet.Neighbour>
) => {
  const isOwn = ({ name }: WorkersNet.Neighbour): boolean => name === `${project}-workers`
  const own = networks.find(isOwn)?.subnet.split(".").slice(0, 2).join(".")
  return decided(
    WorkersNet.choose(asked, {
      own,
      networks: networks.filter((network) => !isOwn(network)),
      interfaces: interfaces()
    })
  )
}

/** Beside the networks that the runtime node is on, and no others: it is where it was as long as those are. */
const workersBridge = (
  { brand, project }: ContainerRun,
  { cniBridge: bridge, cniSubnet: subnet }: StackSettings,
  net: string,
  networks: ReadonlyArray<WorkersNet.Neighbour>
) => {
  const own = networks.filter(({ name }) => name === `${project}-control`)
  const workers = { name: `${project}-workers`, subnet: `${net}.0.0/16` }
  return decided(WorkersBridge.choose(brand, { bridge, subnet }, [...own, workers]))
}

/**
 * Fails where the stack cannot start. Answers the variables of the Compose files that say where workers are,
 * and the address of the runtime node among them, where there is one.
 */
export const settle = Effect.fnUntraced(
  function* (home: string, run: ContainerRun, settings: StackSettings) {
    const containers = yield* refuseNamesake(home, run)
    // Those that run have their ports themselves.
    if (!containers.some(({ State }) => State === "running")) yield* refuseTakenPorts(settings, run.mode)
    const networks = yield* networksThere
    const net = yield* workersNet(run, settings.workersNet, networks)
    const bridge = run.mode === "docker" ? undefined : yield* workersBridge(run, settings, net, networks)
    return { variables: { WORKERS_NET: net, ...bridge }, machineAddress: bridge?.CNI_GW_IP }
  },
  (effect, _home, { engine }) =>
    Effect.catchTag(
      effect,
      "EngineFailure",
      ({ message }: EngineFailure) => new ComposeEngineUnreachable({ engine, detail: message })
    )
)
