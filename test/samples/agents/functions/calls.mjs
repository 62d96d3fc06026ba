import { createHash } from "node:crypto"
import { appendFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

let calls = 0

/** Notes that it ran, takes its time, and answers with what only this event can have. */
export const work = async (event, context) => {
  const run = `${event.id} ${context.awsRequestId}\n`
  if (event.file !== undefined) appendFileSync(event.file, run)
  // From where no file of the machine can be written.
  if (event.url !== undefined) await fetch(event.url, { method: "POST", body: run })
  console.log(`works on ${event.id}`)
  await sleep(event.ms ?? 0)
  if (event.done !== undefined) appendFileSync(event.done, `${event.id}\n`)
  return {
    id: event.id,
    digest: createHash("sha256").update(String(event.id)).digest("hex"),
    requestId: context.awsRequestId,
    pid: process.pid,
    calls: ++calls,
    greeting: process.env.GREETING ?? null,
    initialisation: process.env.AWS_LAMBDA_INITIALIZATION_TYPE
  }
}
