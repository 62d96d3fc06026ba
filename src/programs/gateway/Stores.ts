/** The stores of a stack, as the SDKs in functions are told of them. A function's own value wins. */
import type { GatewaySettings } from "./Settings.ts"

type Endpoints = Pick<GatewaySettings, "dynamodbEndpoint" | "s3Endpoint" | "s3PresignEndpoint">

/** `AWS_ENDPOINT_URL_DYNAMO` and `S3_PRESIGN_ENDPOINT` are older names of the same. */
export const told = (endpoints: Endpoints): Readonly<Record<string, string>> => {
  const { dynamodbEndpoint, s3Endpoint, s3PresignEndpoint } = endpoints
  const names = {
    AWS_ENDPOINT_URL_S3: s3Endpoint,
    S3_PRESIGN_ENDPOINT: s3PresignEndpoint,
    AWS_PRESIGN_ENDPOINT_URL_S3: s3PresignEndpoint,
    AWS_ENDPOINT_URL_DYNAMODB: dynamodbEndpoint,
    AWS_ENDPOINT_URL_DYNAMO: dynamodbEndpoint
  }
  return Object.fromEntries(Object.entries(names).flatMap(([name, url]) => (url === undefined ? [] : [[name, url]])))
}
