/** `esb up`: a template, running, until somebody stops it. */
import { Clock, Deferred, Duration, Effect, type Option } from "effect"
import { ArtifactStore } from "#services/ArtifactStore"
import * as Access from "./Access.ts"
import * as AgentLaunch from "./AgentLaunch.ts"
import * as ConfigFiles from "./ConfigFiles.ts"
import * as Deployment from "./Deployment.ts"
import * as GatewayClient from "./GatewayClient.ts"
import * as GatewayLaunch from "./GatewayLaunch.ts"
import * as Home from "./Home.ts"
import * as KeptParameters from "./KeptParameters.ts"
import * as LogView from "./LogView.ts"
import * as ProcessIdentity from "./ProcessIdentity.ts"
import * as ReadyNote from "./ReadyNote.ts"
import { CommandFailed, WrongUsage } from "./Refusal.ts"
import * as RunFile from "./RunFile.ts"
import type { UpSettings } from "./Settings.ts"
import * as SourceFollower from "./SourceFollower.ts"
import * as Supervisor from "./Supervisor.ts"
import * as TemplatePath from "./TemplatePath.ts"
import { type Voice, voice as speak } from "./Voice.ts"

export interface UpFlags {
  readonly template: Option.Option<string>
  readonly parameters: Readonly<Record<string, string>>
}

/** All that the parts of a running stack have to know. */
interface Undertaking extends UpFlags {
  readonly settings: UpSettings
  readonly voice: Voice
  /** Absolute. */
  readonly templatePath: string
  readonly home: string
  readonly access: Access.Access
}

/** In the order it happens. */
export const up = Effect.fn("esb.up")(function* (flags: UpFlags, settings: UpSettings) {
  const voice = yield* speak
  yield* refuseOpenDoor(settings)
  const templatePath = yield* TemplatePath.find(flags.template)
  const home = yield* Home.forTemplate(templatePath)
  yield* Home.make(home)
  yield* Home.hold(home)
  yield* refuseContainers(home)
  yield* GatewayLaunch.endLeftover(home)
  yield* AgentLaunch.endLeftover(home)
  const access = yield* Access.make(home, settings)
  return yield* run({ ...flags, settings, voice, templatePath, home, access }).pipe(
    Effect.provide(Deployment.layer(home))
  )
}, Effect.scoped)

const run = Effect.fnUntraced(function* (undertaking: Undertaking) {
  const { home, parameters, settings, templatePath: template, voice } = undertaking
  const prepare = yield* Deployment.make
  const deployment = yield* prepare({ template, parameters, kept: {}, settings, voice })
  yield* KeptParameters.write(home, deployment.parameters)
  yield* ConfigFiles.replace(home, deployment.manifest)
  // What earlier runs left: nobody runs it any more.
  const store = yield* ArtifactStore
  yield* store.keepOnly(new Set(deployment.images.values()))
  // A deploy in the meantime may have given other values.
  const again = Effect.flatMap(KeptParameters.read(home), (kept) =>
    prepare({ template, parameters: {}, kept, settings, voice })
  )
  if (settings.watch) yield* Effect.forkScoped(SourceFollower.follow({ prepare: again, from: deployment, home, voice }))

  const answers = yield* Deferred.make<void>()
  if (process.stdout.isTTY && !voice.json) {
    yield* Effect.forkScoped(Effect.andThen(Deferred.await(answers), showLogs(home)))
  }
  yield* Effect.addFinalizer(() => RunFile.remove(home))
  const agent = settings.agent ? yield* AgentLaunch.start(undertaking) : AgentLaunch.none
  const gateway = Supervisor.supervise({
    ...GatewayLaunch.optionsOf({ ...undertaking, agent: agent.environment }),
    patienceMs: Duration.toMillis(GatewayLaunch.patience(settings)),
    onRestart: (why) => voice.warn(`The Gateway is started again: ${why}`),
    onReady: (gateway, url) =>
      record(undertaking, gateway.pid, url).pipe(
        Effect.andThen(Deferred.succeed(answers, undefined)),
        Effect.flatMap((isFirst) =>
          isFirst ? tell(undertaking, url, deployment) : Effect.sync(() => voice.note("The Gateway answers again."))
        )
      )
  }).pipe(Effect.mapError((failure) => GatewayLaunch.explain(failure, settings)))
  return yield* Effect.raceFirst(gateway, agent.lasts)
})

const isLoopback = (host: string) => host === "localhost" || host === "::1" || host.startsWith("127.")

const refuseOpenDoor = ({ host, open, routeAuth }: UpSettings) =>
  isLoopback(host) || routeAuth === "jwt" || open
    ? Effect.void
    : new WrongUsage({
        message:
          `HOST is ${host}, which other machines can reach: let routes want a token with --route-auth jwt, ` +
          "or let everybody call them with --open"
      })

/** Both would go by the configuration of this home. */
const refuseContainers = Effect.fnUntraced(function* (home: string) {
  const run = yield* RunFile.read(home)
  if (!RunFile.isInContainers(run)) return
  return yield* new CommandFailed({
    message:
      `A stack runs in containers in ${home}: esb up --mode ${run.mode} brings what has changed to it. ` +
      "For another mode take it down with esb down, or choose another home with --home"
  })
})

const record = ({ access, home, settings, templatePath }: Undertaking, pid: number, url: string) =>
  RunFile.write(home, {
    version: 1,
    mode: "embedded",
    ...ProcessIdentity.of(pid),
    supervisor: ProcessIdentity.of(process.pid),
    gateway: url,
    region: settings.region,
    ...Access.revealed(access),
    template: templatePath
  })

const tell = ({ access, home, settings, voice }: Undertaking, url: string, { stack }: Deployment.Deployment) => {
  const areRoutesClosed = settings.routeAuth === "jwt"
  const readiness = { authority: undefined, areRoutesClosed, url, home, region: settings.region, access, stack }
  return voice.result(ReadyNote.machine(readiness), () => ReadyNote.human(readiness))
}

/** Shows what functions write, for as long as somebody is there to see it. */
const showLogs = Effect.fnUntraced(function* (home: string) {
  const gateway = yield* GatewayClient.at(home)
  const query = new URLSearchParams({ since: String(yield* Clock.currentTimeMillis) })
  yield* LogView.follow({ gateway, query, from: 0, isJson: false, isShown: LogView.isOfFunction })
})
