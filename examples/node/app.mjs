// `greeting` comes from the layer; see ../shared.
import { greet } from "greeting"

/** Answers a route (an API Gateway event), the clock, and a plain call with `{"name": …}`. */
export const handler = async (event, context) => {
  const name = event.pathParameters?.name ?? event.name ?? event.source ?? "world"
  const message = greet(process.env.GREETING ?? "Hello", name)
  console.log(message)
  if (event.httpMethod === undefined) return { message, requestId: context.awsRequestId }
  return {
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ message, requestId: context.awsRequestId })
  }
}
