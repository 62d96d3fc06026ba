/** Tells which code answers, in which worker, after as long a time as it is asked to take. */
import { setTimeout as sleep } from "node:timers/promises"

const version = "v0"
const worker = crypto.randomUUID()

export const handler = async (event) => {
  await sleep(Number(event.queryStringParameters?.ms ?? 0))
  return { statusCode: 200, body: JSON.stringify({ version, worker, greeting: process.env.GREETING ?? null }) }
}
