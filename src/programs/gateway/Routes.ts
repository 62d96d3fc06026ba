/** All doors of the Gateway. More particular paths win over less particular ones, whatever their order here. */
import { Layer, type Redacted } from "effect"
import type { FunctionSpec } from "#domain/FunctionSpec"
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
  readonly routeAuth: "jwt" | "template"
  readonly authEndpointPath: string
  readonly apiKey: Redacted.Redacted
  readonly version: string
}

export const layer = (options: Options) => {
  const arnOf = (spec: FunctionSpec, qualifier?: string) =>
    `arn:aws:lambda:${options.region}:000000000000:function:${spec.name}${qualifier === undefined ? "" : `:${qualifier}`}`
  return Layer.mergeAll(
    Sight.layer({ owner: options.owner, authEndpointPath: options.authEndpointPath, version: options.version }),
    Tokens.layer({ path: options.authEndpointPath as `/${string}`, apiKey: options.apiKey }),
    InvokeFunction.layer({ authentication: options.invokeAuth, arnOf }),
    Operations.layer({ owner: options.owner }),
    Preflight.layer,
    Proxy.layer({ authentication: options.routeAuth, hosts: options.hosts, arnOf })
  )
}
