/** What `esb doctor` says of the Docker mode: what it needs and, where a stack of this home runs, how its services are. */
import { Effect } from "effect"
import { type Check, check, type Finding, firstLineOf } from "./Finding.ts"
import { inherited } from "./Environment.ts"
import * as GivenVariables from "./GivenVariables.ts"
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
const freePorts = (settings: StackSettings): Check =>
  check({
    mode,
    what: "free ports",
    isOptional: true,
    look: async () => {
      const taken = await StackPorts.taken(settings)
      if (taken.length > 0) throw new Error(StackPorts.told(taken))
      return StackPorts.of(settings)
        .map(({ port }) => port)
        .join(", ")
    },
    remedy: "choose others with these variables, before esb up --mode docker"
  })

const services = (run: RunFile.DockerRun): Effect.Effect<ReadonlyArray<Finding>> =>
  StackServices.list(run).pipe(
    Effect.map((found) =>
      found.map((service): Finding => {
        const isWell = StackServices.isWell(service)
        return {
          mode,
          what: `the service ${service.name}`,
          state: isWell ? "ok" : "missing",
          detail: StackServices.stateOf(service),
          remedy: isWell ? "" : `docker logs ${service.container} says why; esb up --mode docker starts it again`
        }
      })
    ),
    // That no engine answers is a finding of its own.
    Effect.orElseSucceed(() => [])
  )

export const findings = Effect.fnUntraced(function* (home: string) {
  const run = yield* RunFile.read(home)
  const { settings } = yield* GivenVariables.find(home, {}, inherited())
  const ports = freePorts(settings)
  return [
    ...(yield* Effect.all(run?.mode === "docker" ? engine : [...engine, ports], { concurrency: "unbounded" })),
    ...(run?.mode === "docker" ? yield* services(run) : [])
  ]
})
