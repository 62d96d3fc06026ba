/** Functions for workers behind an emulator: what they are told, and what they do to it. */
import { writeFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

export { echo, exit, fail, hang, large } from "../workers/node/index.mjs"

export const told = async (_event, { awsRequestId, clientContext, invokedFunctionArn }) => ({
  awsRequestId,
  clientContext: clientContext ?? null,
  invokedFunctionArn,
  trace: process.env["_X_AMZN_TRACE_ID"] ?? null,
  pid: process.pid
})

/** Tells by a file that it has the call. */
export const rest = async ({ begun, ms }) => {
  if (begun !== undefined) writeFileSync(begun, "")
  await sleep(ms)
  return ms
}

/** An answer, although it looks a little like an error. */
export const resembling = async () => ({ errorMessage: "no such order", ok: false })

/** Says what it is asked to, in a type of its own. */
export const say = awslambda.streamifyResponse(async ({ text, type }, answer) => {
  answer.setContentType(type)
  answer.end(text)
})
