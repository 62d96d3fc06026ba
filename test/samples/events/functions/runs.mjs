/** Each notes that it ran, before it does anything else. */
import { appendFileSync, readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

const note = (event, context) => appendFileSync(event.file, `${event.id} ${context.awsRequestId}\n`)

const runsOf = (event, context) =>
  readFileSync(event.file, "utf8").split(`${event.id} ${context.awsRequestId}\n`).length - 1

export const record = async (event, context) => note(event, context)

export const slow = async (event, context) => {
  note(event, context)
  await sleep(event.ms ?? 100)
}

export const fail = async (event, context) => {
  note(event, context)
  throw new TypeError("as ever")
}

export const failTwice = async (event, context) => {
  note(event, context)
  if (runsOf(event, context) < 3) throw new TypeError("not yet")
}

export const failWhenAsked = async (event, context) => {
  note(event, context)
  if (event.fail) throw new TypeError("as asked")
  return { done: event.id }
}

/** A destination: keeps the record it is told, in the file of the event that the record is about. */
export const collect = async (record) =>
  appendFileSync(`${record.requestPayload.file}.records`, `${JSON.stringify(record)}\n`)
