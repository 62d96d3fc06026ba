/** One function for images, which does what its event says. */
import { setTimeout as sleep } from "node:timers/promises"

const deeds = {
  tell: (_event, context) => ({
    requestId: context.awsRequestId,
    remainingMs: context.getRemainingTimeInMillis(),
    client: context.clientContext ?? null,
    trace: process.env["_X_AMZN_TRACE_ID"] ?? null,
    runtimeApi: process.env["AWS_LAMBDA_RUNTIME_API"] ?? null,
    user: process.getuid()
  }),
  echo: ({ event }) => event,
  fail: () => {
    throw new TypeError("boom")
  },
  exit: ({ code }) => process.exit(code),
  hang: () => sleep(600_000)
}

export const handler = async (event, context) => deeds[event.do](event, context)

export const stream = awslambda.streamifyResponse(async (_event, answer) => {
  answer.setContentType("text/plain")
  answer.write("one ")
  await sleep(50)
  answer.end("two")
})
