/** One call as the Runtime API hands it out, and the context object that user code sees of it. */
import type { HttpAnswer } from "./HttpAnswer.ts"

/** @see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html */
export interface Context {
  readonly functionName: string | undefined
  readonly functionVersion: string | undefined
  /** A number in a string, as on AWS. */
  readonly memoryLimitInMB: string | undefined
  readonly logGroupName: string | undefined
  readonly logStreamName: string | undefined
  readonly clientContext: unknown
  readonly identity: unknown
  readonly invokedFunctionArn: string | undefined
  readonly awsRequestId: string
  readonly tenantId: string | undefined
  readonly getRemainingTimeInMillis: () => number
}

export interface Invocation {
  readonly requestId: string
  /** JSON, unparsed. */
  readonly event: Buffer
  readonly headers: HttpAnswer["headers"]
}

export const fromAnswer = ({ headers, body }: HttpAnswer): Invocation => {
  const requestId = headers.get("lambda-runtime-aws-request-id")
  if (requestId === undefined) throw new Error("the Runtime API handed out a call without a request id")
  return { requestId, event: body, headers }
}

/** User code finds the trace in its environment, and nothing there when the call has none. */
export const exposeTrace = ({ headers }: Invocation) => {
  const trace = headers.get("lambda-runtime-trace-id")
  if (trace === undefined) delete process.env["_X_AMZN_TRACE_ID"]
  else process.env["_X_AMZN_TRACE_ID"] = trace
}

const parseHeader = (headers: HttpAnswer["headers"], header: string, name: string): unknown => {
  const json = headers.get(header)
  if (json === undefined || json === "") return undefined
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw new Error(`Cannot parse ${name} as json: ${String(cause)}`, { cause })
  }
}

/** Fails when a header that should be JSON is not. */
export const contextOf = ({ headers, requestId }: Invocation, environment: NodeJS.ProcessEnv): Context => {
  const deadlineMs = Number(headers.get("lambda-runtime-deadline-ms"))
  return {
    functionVersion: environment["AWS_LAMBDA_FUNCTION_VERSION"],
    functionName: environment["AWS_LAMBDA_FUNCTION_NAME"],
    memoryLimitInMB: environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
    logGroupName: environment["AWS_LAMBDA_LOG_GROUP_NAME"],
    logStreamName: environment["AWS_LAMBDA_LOG_STREAM_NAME"],
    clientContext: parseHeader(headers, "lambda-runtime-client-context", "ClientContext"),
    identity: parseHeader(headers, "lambda-runtime-cognito-identity", "CognitoIdentity"),
    invokedFunctionArn: headers.get("lambda-runtime-invoked-function-arn"),
    awsRequestId: requestId,
    tenantId: headers.get("lambda-runtime-aws-tenant-id"),
    getRemainingTimeInMillis: () => deadlineMs - Date.now()
  }
}
