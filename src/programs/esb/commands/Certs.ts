import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { certificates } from "../CertificateSettings.ts"
import { load } from "../Lazy.ts"
import { resolved } from "../Resolved.ts"
import * as Setting from "../../Setting.ts"

const rotate = Flag.Boolean("rotate").pipe(
  Flag.withDescription("Renew the certificates of server and client; their authority stays"),
  Flag.withDefault(false)
)

const rotateCa = Flag.Boolean("rotate-ca").pipe(
  Flag.withDescription("Renew everything: what trusts the authority of before trusts the new certificates no more"),
  Flag.withDefault(false)
)

const summary = "Make the certificates that Gateway and Agent prove themselves with, and show them"

export const certs = Command.make("certs", { rotate, rotateCa, ...Setting.flags(certificates) }, (given) =>
  Effect.gen(function* () {
    const values = yield* resolved(certificates, given)
    const { certs } = yield* load(() => import("../Certs.ts"))
    return yield* certs(given, values)
  })
).pipe(
  Command.withShortDescription(summary),
  Command.withDescription(
    `${summary}. What is there stays; a Gateway and an Agent that run take renewed certificates within seconds.`
  ),
  Command.withExamples([
    { command: "esb certs", description: "Make what is missing, and show what there is" },
    { command: "esb certs --rotate --san agent.internal,10.1.2.3", description: "Renew, with further names" }
  ])
)
