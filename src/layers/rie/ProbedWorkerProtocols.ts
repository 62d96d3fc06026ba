/** Settles the protocol of a new worker by watching its door and trying the port of emulators. */
import { Effect, Layer } from "effect"
import * as ProtocolChoice from "#domain/ProtocolChoice"
import type { Signs } from "#domain/ProtocolChoice"
import type { Protocol } from "#domain/Worker"
import { type UnsettledWorker, WorkerProtocols } from "#services/WorkerProtocols"
import * as EmulatorPort from "./EmulatorPort.ts"

export interface ProtocolSettings {
  readonly setting: ProtocolChoice.ProtocolSetting
  /** `AGENT_RIE_GRACE`: how long a door must be silent before an emulator is looked for. */
  readonly graceMs: number
  /** How long a worker may take to show what it is. */
  readonly initLimitMs: number
  /** How often the port is tried, and how long one try may take. */
  readonly probeEveryMs: number
  readonly probeLimitMs: number
  /** Images whose protocol is remembered; the one that was settled first is forgotten first. */
  readonly rememberedImages: number
}

const defaults: ProtocolSettings = {
  setting: "auto",
  graceMs: 1_000,
  initLimitMs: 10_000,
  probeEveryMs: 25,
  probeLimitMs: 1_000,
  rememberedImages: 1_000
}

/** Waits until the signs decide, or for no longer than a start may take. */
const watch = ({ contacted, host }: UnsettledWorker, settings: ProtocolSettings) => {
  const knocked: Effect.Effect<Signs> = Effect.as(contacted, { contacted: true, silent: false, accepts: false })
  const listened: Effect.Effect<Signs> = Effect.sleep(settings.graceMs).pipe(
    Effect.andThen(EmulatorPort.accepting({ host, port: ProtocolChoice.emulatorPort }, settings)),
    Effect.as({ contacted: false, silent: true, accepts: true })
  )
  return Effect.raceFirst(knocked, listened).pipe(
    Effect.map(ProtocolChoice.fromSigns),
    Effect.timeoutOrElse({ duration: settings.initLimitMs, orElse: () => Effect.undefined })
  )
}

export const layer = (given: Partial<ProtocolSettings> = {}): Layer.Layer<WorkerProtocols> =>
  Layer.sync(WorkerProtocols, () => {
    const settings: ProtocolSettings = { ...defaults, ...given }
    const verdicts = new Map<string, Protocol>()

    const remember = (imageDigest: string, verdict: Protocol): void => {
      verdicts.set(imageDigest, verdict)
      const [oldest] = verdicts.keys()
      if (verdicts.size > settings.rememberedImages && oldest !== undefined) verdicts.delete(oldest)
    }

    return {
      namesDoor: settings.setting !== "rie",
      settle: Effect.fn("WorkerProtocols.settle")(function* (worker) {
        const { entrypoint, imageDigest } = worker
        const clear = ProtocolChoice.beforeStart(settings.setting, entrypoint, verdicts.get(imageDigest))
        if (clear !== undefined) return clear
        const verdict = yield* watch(worker, settings)
        if (verdict === undefined) return ProtocolChoice.undecided
        remember(imageDigest, verdict)
        return verdict
      })
    }
  })
