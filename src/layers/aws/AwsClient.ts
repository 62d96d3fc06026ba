/** How every client of the AWS SDK is set up here: one place to reach, one key, and no retries of its own. */
import { Duration, Redacted } from "effect"

export interface Options {
  /** `http://database:8000` */
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: Redacted.Redacted
  /** How long one request may take; the default is 10 seconds. */
  readonly requestTimeout?: Duration.Duration
}

const defaultRequestTimeout = Duration.seconds(10)

/** Whoever calls knows how long a store may take to come up, so that one request is one try. */
export const configOf = ({ requestTimeout = defaultRequestTimeout, ...options }: Options) => ({
  endpoint: options.endpoint,
  region: options.region,
  credentials: {
    accessKeyId: options.accessKeyId,
    secretAccessKey: Redacted.value(options.secretAccessKey)
  },
  maxAttempts: 1,
  requestHandler: {
    connectionTimeout: Duration.toMillis(requestTimeout),
    requestTimeout: Duration.toMillis(requestTimeout),
    throwOnRequestTimeout: true
  }
})
