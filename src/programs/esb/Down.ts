/** `esb down`: ends the stack of a home. */
import { Duration, Effect } from "effect"
import * as StackWorkers from "#layers/docker/StackWorkers"
import { ComposeStack } from "#services/ComposeStack"
import * as Home from "./Home.ts"
import * as ProcessIdentity from "./ProcessIdentity.ts"
import { CommandFailed, WrongUsage } from "./Refusal.ts"
import * as RunFile from "./RunFile.ts"
import * as StackCompose from "./StackCompose.ts"
import * as StackFence from "./StackFence.ts"
import { voice as speak } from "./Voice.ts"

export interface DownFlags {
  readonly volumes: boolean
}

/** Whose stop lets calls in flight end, before what they need is gone. */
const first = ["gateway", "agent", "runtime-node"]

/** A supervisor waits for calls in flight, and kills what is left. */
const endsWithin = Duration.minutes(2)
const lookEvery = "50 millis"

export const down = Effect.fn("esb.down")(function* ({ volumes }: DownFlags) {
  const { result } = yield* speak
  const home = yield* Home.find
  const run = home === undefined ? undefined : yield* standing(home, volumes)
  if (home === undefined || run === undefined) {
    const where = home === undefined ? "There is no .esb here or in a directory above" : `No stack runs in ${home}`
    return yield* result({ home, stopped: false }, () => `${where}: nothing to take down.`)
  }
  if (run.mode === "embedded") {
    if (volumes) {
      return yield* new WrongUsage({
        message: `--volumes is for stacks in containers; the state of this one is the directory ${home}`
      })
    }
    yield* endSupervisor(run)
  } else {
    // Not while somebody brings it up.
    yield* Home.hold(home)
    yield* takeDown(home, run, volumes).pipe(Effect.provide(StackCompose.layer(run)))
  }
  const kept = RunFile.isInContainers(run) && !volumes ? " Its volumes are kept." : ""
  yield* result({ home, mode: run.mode, stopped: true }, () => `The stack of ${home} has stopped.${kept}`)
}, Effect.scoped)

/** What there is to take down: what runs, and the data of what has run. */
const standing = Effect.fnUntraced(function* (home: string, volumes: boolean) {
  const run = yield* RunFile.read(home)
  return run ?? (volumes ? yield* RunFile.retired(home) : undefined)
})

/** As Ctrl-C where it runs. */
const endSupervisor = Effect.fnUntraced(function* ({ supervisor }: RunFile.EmbeddedRun) {
  yield* Home.attempt(`esb up, process ${supervisor.pid}, cannot be stopped`, async () => {
    if (ProcessIdentity.isAlive(supervisor)) process.kill(supervisor.pid, "SIGTERM")
  })
  yield* Effect.sleep(lookEvery).pipe(
    Effect.repeat({ while: () => ProcessIdentity.isAlive(supervisor) }),
    Effect.timeoutOrElse({
      duration: endsWithin,
      orElse: () =>
        new CommandFailed({
          message: `esb up, process ${supervisor.pid}, still runs after ${Duration.format(endsWithin)}`
        })
    })
  )
})

/** In the order that loses nothing: a server before what it needs, workers once nobody can start more, networks once they are empty. */
const takeDown = Effect.fnUntraced(function* (home: string, run: RunFile.ContainerRun, volumes: boolean) {
  const { note } = yield* speak
  const compose = yield* ComposeStack
  const there = new Map((yield* compose.services).map((service) => [service.name, service]))
  const stopping = first.filter((name) => there.has(name))
  if (stopping.length > 0) yield* compose.stop(stopping, note)
  // Those of a containerd, and their fence, are in the container that it is in, and go with it.
  if (run.mode === "docker") {
    const removed = yield* StackWorkers.remove(run)
    if (removed > 0) note(`removed ${removed} workers`)
    const agent = there.get("agent")
    if (agent !== undefined) yield* StackFence.lower(run, agent, note)
  }
  yield* compose.down({ volumes }, note)
  if ((yield* RunFile.read(home)) !== undefined) yield* RunFile.retire(home)
  if (volumes) yield* RunFile.forgetRetired(home)
})
