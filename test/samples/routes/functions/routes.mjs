/** One handler for each way a routed call can go. */
import { setTimeout as sleep } from "node:timers/promises"

const told = (value) => ({
  statusCode: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value)
})

/** Tells who was called with which event. */
export const echo = async (event, context) => {
  console.log("called", event.path)
  return told({
    event,
    functionName: context.functionName,
    requestId: context.awsRequestId,
    traceId: process.env._X_AMZN_TRACE_ID ?? null
  })
}

/** Answers what the body asks it to, or with a greeting. */
export const answer = async (event) =>
  event.httpMethod === "POST"
    ? JSON.parse(event.body)
    : { statusCode: 200, headers: { "content-type": "text/plain", "x-kind": "greeting" }, body: "hello" }

export const fail = async () => {
  throw new TypeError("a secret of ours")
}

export const exit = async () => process.exit(7)

export const large = async () => ({ statusCode: 200, body: "x".repeat(7 * 1024 * 1024) })

export const hang = async ({ queryStringParameters }) =>
  queryStringParameters?.answers === "yes"
    ? { statusCode: 204 }
    : new Promise(() => setInterval(() => {}, 1000))

export const slow = async (event) => {
  await sleep(Number(event.pathParameters.ms))
  return told("slept")
}
