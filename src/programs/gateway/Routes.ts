/** All doors of the Gateway. More particular paths win over less particular ones, whatever their order here. */
import { Layer, type Redacted } from "effect"
import type { RouteAuthentication } from "#domain/Route"
import type { OwnerId } from "#domain/Worker"
import type { Hosts } from "./Hosts.ts"
import * as InvokeFunction from "./routes/InvokeFunction.ts"
import * as Operations from "./routes/Operations.ts"
import * as Preflight from "./routes/Preflight.ts"
import * as Proxy from "./routes/Proxy.ts"
import * as Sight from "./routes/Sight.ts"
import * as Tokens from "./routes/Tokens.ts"

export interface Options {
  readonly owner: OwnerId
  readonly hosts: Hosts
  readonly region: string
  readonly invokeAuth: "sigv4" | "none"
  readonly routeAuth: RouteAuthentication
  readonly authEndpointPath: `/${string}`
  readonly apiKey: Redacted.Redacted
  readonly version: string
}

export const layer = ({ authEndpointPath, hosts, owner, region, ...options }: Options) =>
  Layer.mergeAll(
    Sight.layer({ owner, authEndpointPath, authentication: options.routeAuth, version: options.version }),
    Tokens.layer({ path: authEndpointPath, apiKey: options.apiKey }),
    InvokeFunction.layer({ authentication: options.invokeAuth, region }),
    Operations.layer({ owner }),
    Preflight.layer,
    Proxy.layer({ authentication: options.routeAuth, hosts, region })
  )
