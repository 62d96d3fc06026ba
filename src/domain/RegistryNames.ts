/** One registry by two names: a machine and the containers on it do not reach it at the same address. */
import { host } from "./FunctionImage.ts"

export interface RegistryNames {
  /** Where whoever builds images pushes them to: `127.0.0.1:5010`. */
  readonly machine: string
  /** Where the Agent, and what starts workers for it, pulls them from: `registry:5010`. */
  readonly agent: string
}

const renamed = (image: string, from: string, to: string): string =>
  image.startsWith(`${host(from)}/`) ? `${host(to)}${image.slice(host(from).length)}` : image

/** The same image under the name that an Agent knows; one of another registry has one name everywhere. */
export const forAgent = (image: string, { agent, machine }: RegistryNames): string => renamed(image, machine, agent)

/** The same image under the name that this machine knows. */
export const forMachine = (image: string, { agent, machine }: RegistryNames): string => renamed(image, agent, machine)
