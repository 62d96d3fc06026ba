/** What `esb doctor` says of the Docker mode: what it needs and, where a stack of this home runs, how its services are. */
import { Effect } from "effect"
import { type Check, check, type Finding, firstLineOf, isFree } from "./Finding.ts"
import { resolved } from "./Resolved.ts"
import * as RunFile from "./RunFile.ts"
import { stack, type StackSettings } from "./StackSettings.ts"
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

const portsOf = (settings: StackSettings): ReadonlyArray<readonly [name: string, port: number]> => [
  ["PORT_GATEWAY_HTTPS", settings.gatewayPort],
  ["PORT_REGISTRY", settings.registryPort],
  ["PORT_S3", settings.s3Port],
  ["PORT_S3_MGMT", settings.s3ConsolePort],
  ["PORT_DATABASE", settings.databasePort],
  ["PORT_VICTORIALOGS", settings.logsPort],
  ["PORT_VICTORIATRACES", settings.tracesPort],
  ["PORT_AGENT_METRICS", settings.agentMetricsPort]
]

/** Before a start: a port in use is a service that does not come up. */
const freePorts = (settings: StackSettings): Check => {
  const ports = portsOf(settings)
  return check({
    mode,
    what: "free ports",
    isOptional: true,
    look: async () => {
      const looks = await Promise.allSettled(ports.map(([, port]) => isFree(port)))
      // The engine may have ports that this user may not.
      const isTaken = (look: PromiseSettledResult<string> | undefined): boolean =>
        look?.status === "rejected" && String(look.reason).includes("in use")
      const taken = ports.filter((_, index) => isTaken(looks[index]))
      if (taken.length > 0) throw new Error(taken.map(([name, port]) => `${name} ${port} is in use`).join(", "))
      return ports.map(([, port]) => port).join(", ")
    },
    remedy: "choose others with these variables, before esb up --mode docker"
  })
}

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
  const ports = freePorts(yield* resolved(stack, {}))
  return [
    ...(yield* Effect.all(run?.mode === "docker" ? engine : [...engine, ports], { concurrency: "unbounded" })),
    ...(run?.mode === "docker" ? yield* services(run) : [])
  ]
})
