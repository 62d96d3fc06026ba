/**
 * The environment variables of a worker: the function's own, and over them those the platform owns.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
 */
import { Redacted } from "effect"
import type { FunctionSpec } from "./FunctionSpec.ts"

/** What every worker of a Gateway is told. */
export interface Surroundings {
  readonly region: string
  /** The key pair of the stack, good at our own API. */
  readonly accessKeyId: string
  readonly secretAccessKey: Redacted.Redacted
  /** Where a worker reaches this Gateway. */
  readonly gatewayUrl: string
  /** Names of variables and their values that win over nothing: a function's own value stays. */
  readonly defaults: Readonly<Record<string, string>>
}

export const compose = (spec: FunctionSpec, around: Surroundings): Readonly<Record<string, string>> => {
  const region = spec.environment["AWS_DEFAULT_REGION"] ?? spec.environment["AWS_REGION"] ?? around.region
  return {
    AWS_ACCESS_KEY_ID: around.accessKeyId,
    AWS_SECRET_ACCESS_KEY: Redacted.value(around.secretAccessKey),
    AWS_ENDPOINT_URL_LAMBDA: around.gatewayUrl,
    ...around.defaults,
    ...spec.environment,
    ...(spec.handler === undefined ? {} : { _HANDLER: spec.handler }),
    ...(spec.runtime === undefined ? {} : { AWS_EXECUTION_ENV: `AWS_Lambda_${spec.runtime}` }),
    AWS_LAMBDA_FUNCTION_NAME: spec.name,
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(spec.memoryMiB),
    AWS_LAMBDA_FUNCTION_TIMEOUT: String(spec.timeoutMs / 1000),
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    GATEWAY_INTERNAL_URL: around.gatewayUrl
  }
}
