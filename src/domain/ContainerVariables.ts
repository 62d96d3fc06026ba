/** The environment of a worker in a container, and how engines write it: a line `NAME=value` each. */
import type { WorkerSpec } from "./Worker.ts"

type Variables = Readonly<Record<string, string>>

export interface ContainerVariables {
  readonly spec: WorkerSpec
  readonly logStream: string
  /** The container has the authorities that it believes at {@link trustPlace}. */
  readonly isTrusting: boolean
  /** `undefined`: the worker is told of none. */
  readonly door: { readonly endpoint: string; readonly token: string } | undefined
}

/** Where workers find whom to believe. */
export const trustPlace = "/etc/esb"

/**
 * The names by which libraries of many languages look for it. Node knows everybody's authorities by itself, and versions before
 * 24 take twice as long to begin when they read them again.
 */
const trustVariables: Variables = {
  AWS_CA_BUNDLE: `${trustPlace}/ca.pem`,
  SSL_CERT_FILE: `${trustPlace}/ca.pem`,
  REQUESTS_CA_BUNDLE: `${trustPlace}/ca.pem`,
  NODE_EXTRA_CA_CERTS: `${trustPlace}/authority.pem`
}

/** What a function sets wins over `image`, which is what its image says, and over whom it is told to believe. */
export const make = ({ door, isTrusting, logStream, spec }: ContainerVariables, image: Variables = {}): Variables => ({
  TZ: ":UTC",
  ...image,
  ...(isTrusting ? trustVariables : {}),
  ...spec.environment,
  AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${spec.functionName}`,
  AWS_LAMBDA_LOG_STREAM_NAME: logStream,
  ...(door === undefined ? {} : { AWS_LAMBDA_RUNTIME_API: door.endpoint, ESB_WORKER_TOKEN: door.token })
})

export const print = (variables: Variables): ReadonlyArray<string> =>
  Object.entries(variables).map(([name, value]) => `${name}=${value}`)

/** A line without `=` is a variable without a value. */
export const parse = (lines: ReadonlyArray<string>): Variables =>
  Object.fromEntries(
    lines.map((line) => {
      const end = line.indexOf("=")
      return end < 0 ? [line, ""] : [line.slice(0, end), line.slice(end + 1)]
    })
  )
