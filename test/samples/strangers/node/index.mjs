/** Functions for AWS's own runtime client. */
export const echo = async (event, context) => {
  console.log("seen", event.n)
  return { event, requestId: context.awsRequestId, trace: process.env._X_AMZN_TRACE_ID, client: context.clientContext }
}

export const fail = async () => {
  throw new TypeError("boom")
}

export const exit = async () => process.exit(3)

export const stream = awslambda.streamifyResponse(async (_event, response) => {
  response.setContentType("text/plain")
  response.write("one ")
  response.write("two")
  response.end()
})

export const broken = awslambda.streamifyResponse(async (_event, response) => {
  response.write("half")
  throw new RangeError("midway")
})
