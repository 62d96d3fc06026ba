/** The ports of this machine on which a stack in containers answers. */
import { isFree } from "./Finding.ts"
import type { ContainerMode } from "./RunFile.ts"
import type { StackSettings } from "./StackSettings.ts"

export interface StackPort {
  readonly variable: string
  readonly host: string
  readonly port: number
}

export const of = (settings: StackSettings, mode: ContainerMode): ReadonlyArray<StackPort> => {
  const published = (variable: string, port: number) => ({ variable, host: settings.publishAddress, port })
  return [
    { variable: "PORT_GATEWAY_HTTPS", host: settings.gatewayBind, port: settings.gatewayPort },
    published("PORT_REGISTRY", settings.registryPort),
    published("PORT_S3", settings.s3Port),
    published("PORT_S3_MGMT", settings.s3ConsolePort),
    published("PORT_DATABASE", settings.databasePort),
    published("PORT_VICTORIALOGS", settings.logsPort),
    published("PORT_VICTORIATRACES", settings.tracesPort),
    published("PORT_AGENT_METRICS", settings.agentMetricsPort),
    ...(mode === "containerd" ? [published("PORT_AGENT_GRPC", settings.agentPort)] : [])
  ]
}

/** Those that somebody has. One that this user may not have is not among them: the engine may. */
export const taken = async (settings: StackSettings, mode: ContainerMode): Promise<ReadonlyArray<StackPort>> => {
  const ports = of(settings, mode)
  const looks = await Promise.allSettled(ports.map(({ host, port }) => isFree(port, host)))
  return ports.filter((_, index) => {
    const look = looks[index]
    return look?.status === "rejected" && String(look.reason).includes("in use")
  })
}

export const told = (ports: ReadonlyArray<StackPort>): string =>
  ports.map(({ port, variable }) => `${variable} ${port} is in use`).join(", ")
