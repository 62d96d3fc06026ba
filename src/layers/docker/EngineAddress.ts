/** Where a Docker Engine listens, as `DOCKER_HOST` says it. */
import type { EngineAddress } from "./DockerApi.ts"

const plainPort = 2375

/** `unix:///var/run/docker.sock` and `tcp://127.0.0.1:2375`; `undefined` for anything else, such as `ssh://`. */
export const parse = (text: string): EngineAddress | undefined => {
  const url = URL.parse(text)
  switch (url?.protocol) {
    case "unix:":
      return url.pathname === "" ? undefined : { socketPath: decodeURIComponent(url.pathname) }
    case "tcp:":
    case "http:":
      return { host: url.hostname, port: Number(url.port || plainPort), protocol: "http" }
    default:
      return undefined
  }
}
