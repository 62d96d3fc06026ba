/** Where plugins and their files are, and the limits of everything that waits for them. */
import type { Place } from "#domain/BrandNetwork"
import { ordinaryAddressDirectory } from "#domain/Conflist"
import type { StackIdentity } from "#domain/StackIdentity"

/** What has to be said. */
export interface CniPlaces {
  readonly identity: StackIdentity
  /** What is known of each network lies here, so that another run finds it: a directory of this stack's alone. */
  readonly stateDirectory: string
}

/** What may be said. */
export interface CniOptions {
  readonly pluginDirectory: string
  readonly configurationDirectory: string
  /** `undefined`: `10-<brand>-net.conflist` in the directory. */
  readonly configurationFile: string | undefined
  /**
   * The workers' network. Said or not, it is written into the configuration file; only a file of somebody else's stands when it
   * is `undefined`.
   */
  readonly subnet: Place | undefined
  /** The machine's interface to it; `undefined`: `esb0`, or one found from the brand where the network is. */
  readonly bridge: string | undefined
  /** Where workers ask for names; `undefined`: at the machine's address in their network. */
  readonly nameserver: string | undefined
  readonly addressDirectory: string
  /** Tells shells what was written; `undefined`: nobody is told. */
  readonly identityFile: string | undefined
  /** A network namespace in which the bridge is, by its path; `undefined`: that of this process. */
  readonly machineNamespace: string | undefined
  /** Networks that are ready before they are asked for. Each has an address. */
  readonly prepared: number
  /**
   * How long before one that was taken is replaced, while others are left: plugins would take the processors from the start that
   * it was taken for.
   */
  readonly replaceAfterMs: number
  /** Networks that are made or removed at a time. */
  readonly parallel: number
  /** What a plugin, or another command, may take before it is killed with all it has started. */
  readonly commandLimitMs: number
  /** After a network could not be prepared: how long until the next try at first, and at last. */
  readonly prepareAgainMs: { readonly first: number; readonly last: number }
}

export type CniSettings = CniPlaces & CniOptions

export const defaults: CniOptions = {
  pluginDirectory: "/opt/cni/bin",
  configurationDirectory: "/etc/cni/net.d",
  configurationFile: undefined,
  subnet: undefined,
  bridge: undefined,
  nameserver: undefined,
  addressDirectory: ordinaryAddressDirectory,
  identityFile: "/var/lib/cni/esb-cni.env",
  machineNamespace: undefined,
  prepared: 4,
  replaceAfterMs: 250,
  parallel: 4,
  commandLimitMs: 15_000,
  prepareAgainMs: { first: 500, last: 30_000 }
}
