/** Functions that answer as those did whose answers AWS's recordings hold. */
import { appendFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

let counter = 0

export const echo = async (event) => event

export const logging = async (event) => {
  console.log(JSON.stringify(event))
  return event
}

export const silent = async () => {}

export const counting = async () => ({ counter: counter++ })

export const raising = async (event) => {
  throw new Error(`Error: ${event.error_msg}`)
}

export const introspection = async (_event, context) => ({
  ctx: {
    aws_request_id: context.awsRequestId,
    function_name: context.functionName,
    function_version: context.functionVersion,
    invoked_function_arn: context.invokedFunctionArn,
    log_group_name: context.logGroupName,
    log_stream_name: context.logStreamName,
    remaining_time_in_millis: context.getRemainingTimeInMillis()
  },
  environment: process.env,
  packages: []
})

export const large = async (event) => "x".repeat(event.bytes)

export const sleeping = async (event) => {
  await sleep(event.ms)
}

export const exiting = async () => process.exit(0)

/** Writes down what it is told. */
export const witness = async (event) => {
  appendFileSync(event.requestPayload.file, `${JSON.stringify(event)}\n`)
}
