/** How `esb up --agent` starts its Agent, and what the Gateway has to be told of it. */
import { Deferred, Duration, Effect, Fiber, Schema } from "effect"
import { readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Certificates from "./Certificates.ts"
import { inherited } from "./Environment.ts"
import * as GatewayLaunch from "./GatewayLaunch.ts"
import * as Home from "./Home.ts"
import * as Leftover from "./Leftover.ts"
import * as ProcessIdentity from "./ProcessIdentity.ts"
import type { CommandFailed } from "./Refusal.ts"
import * as ServerWords from "./ServerWords.ts"
import type { UpSettings } from "./Settings.ts"
import * as Supervisor from "./Supervisor.ts"
import type { Voice } from "./Voice.ts"

/** Beside the bundle that this file becomes a part of. */
const program = fileURLToPath(new URL("./agent.js", import.meta.url))

const loopback = "127.0.0.1"

const IdentityText = Schema.fromJsonString(ProcessIdentity.ProcessIdentity)

/** Which process the Agent of a home is, for as long as it runs. */
const identityPath = (home: string): string => join(home, "agent.json")

const remember = (home: string, pid: number) =>
  Effect.promise(() => Home.replaceFile(identityPath(home), JSON.stringify(ProcessIdentity.of(pid)), 0o600))

const forget = (home: string) => Effect.promise(() => rm(identityPath(home), { force: true }))

/** Ends an Agent whose `esb up` was killed. */
export const endLeftover = Effect.fnUntraced(function* (home: string) {
  const agent = yield* Effect.tryPromise(() => readFile(identityPath(home), "utf8")).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(IdentityText)),
    Effect.orElseSucceed(() => undefined)
  )
  if (agent === undefined) return
  yield* Leftover.end(agent)
  yield* forget(home)
})

export interface AgentBeside {
  /** What the Gateway is told. */
  readonly environment: Readonly<Record<string, string>>
  /** Fails when it ended again and again. */
  readonly lasts: Effect.Effect<never, CommandFailed>
}

/** No Agent: the Gateway starts workers itself. */
export const none: AgentBeside = { environment: {}, lasts: Effect.never }

/** Answers when this returns; kept running until the scope ends, and stopped then. */
export const start = Effect.fnUntraced(function* (of: {
  readonly home: string
  readonly settings: UpSettings
  readonly voice: Voice
}) {
  const { home, settings, voice } = of
  const files = yield* Certificates.ensure(join(home, "certs"))
  const first = yield* Deferred.make<string>()
  yield* Effect.addFinalizer(() => forget(home))
  const supervised = yield* Supervisor.supervise({
    name: "Agent",
    program,
    logPath: join(home, "agent.log"),
    said: ServerWords.hear(settings, voice),
    patienceMs: Duration.toMillis(GatewayLaunch.patience(settings)),
    environment: {
      ...inherited(),
      ESB_HOME: home,
      ENV: "local",
      ESB_BRAND_SLUG: "esb",
      AGENT_RUNTIME: "process",
      AGENT_HOST: loopback,
      PORT: "0",
      AGENT_DATA_PORT: "0",
      AGENT_METRICS_PORT: "0",
      AGENT_LOG_FORMAT: "json",
      AGENT_GRPC_CERT_PATH: files.serverCertificate,
      AGENT_GRPC_KEY_PATH: files.serverKey,
      AGENT_GRPC_CA_CERT_PATH: files.authority,
      DRAIN_TIMEOUT: String(Duration.toSeconds(settings.drainTimeout))
    },
    onReady: ({ pid }, url) =>
      Effect.andThen(remember(home, pid), Deferred.succeed(first, url)).pipe(
        Effect.map((isFirst) => (isFirst ? undefined : voice.note("The Agent answers again.")))
      ),
    onRestart: (why) => voice.warn(`The Agent is started again: ${why}`)
  }).pipe(Effect.forkScoped)
  const lasts = Fiber.join(supervised)
  const url = yield* Effect.raceFirst(Deferred.await(first), lasts)
  return {
    lasts,
    environment: {
      AGENT_GRPC_ADDRESS: new URL(url).host,
      AGENT_GRPC_TLS_CERT_PATH: files.clientCertificate,
      AGENT_GRPC_TLS_KEY_PATH: files.clientKey,
      AGENT_GRPC_TLS_CA_CERT_PATH: files.authority
    }
  } satisfies AgentBeside
})
