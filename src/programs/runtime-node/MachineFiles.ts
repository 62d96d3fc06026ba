/** Files that a runtime of virtual machines wants on this machine: in a container they are there only where they are mounted. */
import { Effect, Result } from "effect"
import * as RuntimeName from "#domain/RuntimeName"
import { Machine } from "#services/Machine"
import { NodeRefused } from "./NodeRefused.ts"
import type { RuntimeNodeSettings } from "./Settings.ts"

/** Its own files; the last part is made where it is missing. */
const files = "/var/lib/firecracker-containerd"
const shimDirectory = `${files}/shim-base`
/** The configuration of containerd, where nobody names another. */
const ordinaryConfig = "/etc/firecracker-containerd/config.toml"

export const isWanted = ({ containerdRuntime }: RuntimeNodeSettings): boolean =>
  containerdRuntime === RuntimeName.ofMachines

/** The configuration that is not of our own; `undefined`: one of our own will do. */
export const configOf = (values: RuntimeNodeSettings): string | undefined =>
  values.containerdConfig ?? (isWanted(values) ? ordinaryConfig : undefined)

const configLack = (values: RuntimeNodeSettings, path: string): string =>
  values.containerdConfig === undefined
    ? `There is no ${path}, the configuration of containerd for CONTAINERD_RUNTIME=${RuntimeName.ofMachines}: ` +
      "mount that of the machine there, or name another by CONTAINERD_CONFIG"
    : `There is no ${path}, which CONTAINERD_CONFIG names: mount it there, or name another`

/** Fails with all that is missing at once: containerd would be started again and again without. */
export const prepare = Effect.fn("RuntimeNode.prepareMachineFiles")(function* (values: RuntimeNodeSettings) {
  const { exists, makeDirectory } = yield* Machine
  const config = configOf(values)
  const made = yield* Effect.result(isWanted(values) ? makeDirectory(shimDirectory) : Effect.void)
  const lacks = [
    ...(config === undefined || (yield* exists(config)) ? [] : [configLack(values, config)]),
    ...(Result.isSuccess(made)
      ? []
      : [`${shimDirectory} cannot be made (${made.failure.detail}): mount the machine's ${files} there, writable`])
  ]
  if (lacks.length > 0) return yield* new NodeRefused({ message: lacks.join("\n") })
})
