/**
 * How a new worker is spoken to. We are its Runtime API and say so in its environment, so AWS's base images start no emulator
 * and poll us. Some images start one whatever they are told; they are found out by three signs together, because each alone
 * deceives: a slow runtime is silent too, and a web server listens on the same port.
 */
import type { Protocol } from "./Worker.ts"

/** `AGENT_WORKER_PROTOCOL`: every worker the same, or each by its signs. */
export type ProtocolSetting = "auto" | Protocol

/** Where emulators listen for calls. */
export const emulatorPort = 8_080

/** A program of this name, or one that begins so, at the end of a path, in a list of words or in the text of a script. */
const emulatorWord = /(?:^|[\s/"'`;&|(=])aws-lambda-rie[^\s/"'`;&|)]*(?:$|[\s"'`;&|)])/

/** Whether what an image starts with is an emulator, or a script that names one. */
export const namesEmulator = (entrypoint: ReadonlyArray<string>): boolean =>
  entrypoint.some((word) => emulatorWord.test(word))

/** What is clear before the worker has done anything; `undefined`: its signs must tell. */
export const beforeStart = (
  setting: ProtocolSetting,
  entrypoint: ReadonlyArray<string>,
  remembered: Protocol | undefined
): Protocol | undefined => {
  if (setting !== "auto") return setting
  return namesEmulator(entrypoint) ? remembered : "runtime-api"
}

/** What a worker whose entrypoint names an emulator has shown. */
export interface Signs {
  /** Somebody in it has sent a request to its door. */
  readonly contacted: boolean
  /** It was silent for longer than a runtime needs. */
  readonly silent: boolean
  /** It accepts connections where emulators listen. */
  readonly accepts: boolean
}

/** `undefined`: nothing decides. */
export const fromSigns = ({ accepts, contacted, silent }: Signs): Protocol | undefined => {
  if (contacted) return "runtime-api"
  return silent && accepts ? "rie" : undefined
}

/** A worker that never shows what it is has failed to start, which the Runtime API tells best. */
export const undecided: Protocol = "runtime-api"
