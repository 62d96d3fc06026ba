/** What `esb doctor` says of the Docker Engine, which both modes of containers need, and of the services of this home's stack. */
import { Effect } from "effect"
import { type Check, check, type Finding, firstLineOf } from "./Finding.ts"
import * as RunFile from "./RunFile.ts"
import * as StackPorts from "./StackPorts.ts"
import type { StackSettings } from "./StackSettings.ts"
import * as StackServices from "./StackServices.ts"

const mode = "docker"

/** Either will do; the plugin is asked first, as `esb up` does. */
const composeVersion = () =>
  firstLineOf("docker", "compose", "version").catch(() => firstLineOf("docker-compose", "version"))

const engine: ReadonlyArray<Check> = [
  check({
    mode,
    what: "a Docker engine that answers",
    look: () =>
      firstLineOf("docker", "version", "--format", "{{.Server.Version}}").then((version) => `Docker ${version}`),
    remedy: "install Docker (https://docs.docker.com/engine/install) and let this user use its socket"
  }),
  check({
    mode,
    what: "Compose",
    look: composeVersion,
    remedy: "install its plugin (https://docs.docker.com/compose/install), or your system's package docker-compose"
  })
]

/** Before a start: a port in use is a service that does not come up. */
const freePorts = (settings: StackSettings, containers: RunFile.ContainerMode): Check =>
  check({
    mode,
    what: "free ports",
    isOptional: true,
    look: async () => {
      const taken = await StackPorts.taken(settings, containers)
      if (taken.length > 0) throw new Error(StackPorts.told(taken))
      return StackPorts.of(settings, containers)
        .map(({ port }) => port)
        .join(", ")
    },
    remedy: "choose others with these variables, before esb up"
  })

const services = (run: RunFile.ContainerRun): Effect.Effect<ReadonlyArray<Finding>> =>
  StackServices.list(run).pipe(
    Effect.map((found) =>
      found.map((service): Finding => {
        const isWell = StackServices.isWell(service)
        return {
          mode: run.mode,
          what: `the service ${service.name}`,
          state: isWell ? "ok" : "missing",
          detail: StackServices.stateOf(service),
          remedy: isWell ? "" : `docker logs ${service.container} says why; esb up --mode ${run.mode} starts it again`
        }
      })
    ),
    // That no engine answers is a finding of its own.
    Effect.orElseSucceed(() => [])
  )

/** Of the stack that runs, if one does; else of one that has these settings, in this mode. */
export const findings = Effect.fnUntraced(function* (
  run: RunFile.Run | undefined,
  settings: StackSettings,
  containers: RunFile.ContainerMode
) {
  const isThere = RunFile.isInContainers(run)
  return [
    ...(yield* Effect.all(isThere ? engine : [...engine, freePorts(settings, containers)], {
      concurrency: "unbounded"
    })),
    ...(isThere ? yield* services(run) : [])
  ]
})
