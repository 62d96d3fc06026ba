/**
 * What the engine keeps of a worker's container: all that is needed to take the worker over, whoever started it. Labels tell
 * whose it is and where its door was, its environment the rest.
 */
import { Redacted, Result } from "effect"
import type { ContainerInspectInfo } from "dockerode"
import * as ContainerVariables from "#domain/ContainerVariables"
import * as StackIdentity from "#domain/StackIdentity"
import * as WorkerSettings from "#domain/WorkerSettings"
import type { FormerContainer } from "#services/ContainerEngine"
import type { FormerDoor } from "#services/RuntimeApi"
import * as ContainerImages from "./ContainerImages.ts"

export interface ContainerRecord extends Omit<FormerContainer, "takeOver"> {
  readonly name: string
  readonly engineId: string
  readonly pid: number
}

const doorOf = (endpoint: string | undefined, token: string | undefined): FormerDoor | undefined =>
  endpoint === undefined || token === undefined ? undefined : { endpoint, token: Redacted.make(token) }

/** Fails with the reason why nobody can take it over. */
export const read = (
  seen: ContainerInspectInfo,
  identity: StackIdentity.StackIdentity,
  network: string
): Result.Result<ContainerRecord, string> => {
  const { Config, Created, Id, Image, Name, NetworkSettings, State } = seen
  // A frozen container runs, as the engine has it.
  if (!State.Running) return Result.fail(`it is ${State.Status}`)
  const worker = StackIdentity.labelledWorker(identity, Config.Labels)
  const environment = ContainerVariables.parse(Config.Env)
  const address = NetworkSettings.Networks[network]?.IPAddress ?? ""
  if (Config.Labels[StackIdentity.extensionsLabel(identity)] !== undefined) {
    return Result.fail("its extensions do not find back to a door")
  }
  if (worker === undefined) return Result.fail("its labels do not tell whose it is")
  if (address === "") return Result.fail(`it has no address in ${network}`)
  return Result.map(WorkerSettings.fromEnvironment(environment), (settings) => ({
    ...worker,
    name: Name.replace(/^\//, ""),
    engineId: Id,
    settings,
    door: doorOf(Config.Labels[StackIdentity.listenerLabel(identity)], environment["ESB_WORKER_TOKEN"]),
    imageDigest: Image,
    entrypoint: ContainerImages.startOf(Config),
    address,
    pid: State.Pid,
    isPaused: State.Paused,
    createdAtUnixSeconds: Math.floor(Date.parse(Created) / 1_000)
  }))
}
