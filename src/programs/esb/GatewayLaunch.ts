/** How `esb up` starts its Gateway, and what it makes of the Gateway's words and end. */
import { Duration, Effect } from "effect"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Access from "./Access.ts"
import * as ConfigFiles from "./ConfigFiles.ts"
import { inherited } from "./Environment.ts"
import type { ServerOptions } from "./ServerProcess.ts"
import * as Leftover from "./Leftover.ts"
import { CommandFailed } from "./Refusal.ts"
import * as RunFile from "./RunFile.ts"
import * as ServerWords from "./ServerWords.ts"
import type { UpSettings } from "./Settings.ts"
import type { Voice } from "./Voice.ts"

/** Beside the bundle that this file becomes a part of. */
const program = fileURLToPath(new URL("./gateway.js", import.meta.url))

/** Added to the Gateway's own patience, so that it is the one that gives up first. */
const margin = Duration.seconds(5)

/** How long a Gateway that was asked to stop may take. */
export const patience = ({ drainTimeout }: UpSettings) => Duration.sum(drainTimeout, margin)

export const optionsOf = (of: {
  readonly home: string
  readonly settings: UpSettings
  readonly access: Access.Access
  readonly voice: Voice
  /** What the Gateway must know of an Agent beside it; empty without one. */
  readonly agent: Readonly<Record<string, string>>
}): ServerOptions => ({
  name: "Gateway",
  program,
  logPath: join(of.home, "gateway.log"),
  said: ServerWords.hear(of.settings, of.voice),
  environment: {
    ...inherited(),
    ESB_HOME: of.home,
    FUNCTIONS_CONFIG_PATH: ConfigFiles.pathIn(of.home, "functions"),
    ROUTING_CONFIG_PATH: ConfigFiles.pathIn(of.home, "routing"),
    AGENT_RUNTIME: "process",
    PORT: String(of.settings.port),
    HOST: of.settings.host,
    ROUTE_AUTH: of.settings.routeAuth ?? "template",
    AWS_REGION: of.settings.region,
    DRAIN_TIMEOUT: String(Duration.toSeconds(of.settings.drainTimeout)),
    ...Access.environmentOf(of.access),
    ...of.agent
  }
})

/** Says what to do about an end whose reason is known. */
export const explain = (failure: CommandFailed, { host, port }: UpSettings): CommandFailed => {
  if (failure.message.includes("EADDRINUSE")) {
    return new CommandFailed({
      message: `Port ${port} of ${host} is in use: choose another with --port, or let the system choose with --port 0`
    })
  }
  return failure
}

/** Ends a Gateway whose `esb up` was killed. */
export const endLeftover = Effect.fnUntraced(function* (home: string) {
  const run = yield* RunFile.leftover(home)
  if (run?.mode !== "embedded") return
  yield* Leftover.end(run)
  yield* RunFile.remove(home)
})
