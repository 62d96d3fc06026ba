/** The certificates that Gateway and Agent prove themselves with: where they are, and that they are there. */
import { Duration, Effect } from "effect"
import { join } from "node:path"
import * as CertificateDirectory from "#layers/x509/CertificateDirectory"
import * as CertificateSurvey from "#layers/x509/CertificateSurvey"
import { authority, client, server } from "#layers/x509/FilePairs"
import * as Leaves from "#layers/x509/Leaves"
import * as OutboundAddress from "#layers/x509/OutboundAddress"
import { certificates, type CertificateSettings } from "./CertificateSettings.ts"
import * as ContainerCertificates from "./ContainerCertificates.ts"
import { attempt, belongsWith } from "./Home.ts"
import { CommandFailed, WrongUsage } from "./Refusal.ts"
import { resolved } from "./Resolved.ts"

/** Paths of what each side needs. */
export interface Files {
  readonly authority: string
  readonly serverCertificate: string
  readonly serverKey: string
  readonly clientCertificate: string
  readonly clientKey: string
}

/** Makes what is missing, and renews what is asked for, for containers as well. Answers the certificates that were made. */
export const make = Effect.fnUntraced(function* (
  directory: string,
  renew: CertificateDirectory.Wish["renew"],
  { san, validityHours }: CertificateSettings
) {
  const unusual = san.find((name) => !Leaves.isServerName(name))
  if (unusual !== undefined) {
    return yield* new WrongUsage({
      message: `ESB_CERT_SANS (--san) has ${JSON.stringify(unusual)}: expected names of hosts and addresses`
    })
  }
  const address = yield* OutboundAddress.find
  const serverNames = address === undefined ? san : [address, ...san]
  const made = yield* CertificateDirectory.make({
    directory,
    renew,
    serverNames,
    validity: Duration.hours(validityHours)
  }).pipe(Effect.mapError(({ message }) => new CommandFailed({ message })))
  // Whoever reads them here, under another user than this one, goes on doing so.
  const leaves = made.includes(server.certificate) ? [server, client] : []
  const files = [authority.certificate, ...leaves.flatMap(({ certificate, key }) => [certificate, key])]
  if (made.length > 0) {
    yield* attempt("The certificates cannot be handed over", async () => {
      for (const file of files) await belongsWith(join(directory, file))
    })
  }
  yield* ContainerCertificates.keep(directory)
  return made
})

/**
 * Silently makes certificates that can be used: those that are missing, and leaves that are about to expire, fit no authority
 * or key, or lack one of these names of servers. Fails when that takes an authority whose key is not here.
 */
export const ensure = Effect.fnUntraced(function* (directory: string, serverNames: ReadonlyArray<string> = []) {
  const settings = yield* resolved(certificates, {})
  const found = yield* CertificateSurvey.survey(directory)
  const leaves = found.filter(({ file }) => file !== authority.certificate)
  const areUsable = found.length > 0 && found.every(({ state }) => state === "fine" || state === "soon")
  const isWorn = leaves.some(({ state }) => state !== "fine")
  const names = leaves.find(({ file }) => file === server.certificate)?.names
  const isNameless = names !== undefined && serverNames.some((name) => !names.includes(name))
  const san = [...settings.san, ...serverNames]
  yield* make(directory, isWorn || isNameless ? "leaves" : "nothing", { ...settings, san }).pipe(
    // They end soon, or lack a name, but are good for now: `esb doctor` and the log of whoever uses them tell of it.
    Effect.catchIf(
      () => areUsable,
      () => Effect.succeed([])
    )
  )
  return {
    authority: join(directory, authority.certificate),
    serverCertificate: join(directory, server.certificate),
    serverKey: join(directory, server.key),
    clientCertificate: join(directory, client.certificate),
    clientKey: join(directory, client.key)
  } satisfies Files
})
