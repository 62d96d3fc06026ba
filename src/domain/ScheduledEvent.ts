/**
 * The event of a schedule that brings no input of its own.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html
 */
import { account } from "./FunctionArn.ts"

const encoder = new TextEncoder()

export const encode = (id: string, region: string, rule: string, firedAtMs: number): Uint8Array =>
  encoder.encode(
    JSON.stringify({
      version: "0",
      id,
      "detail-type": "Scheduled Event",
      source: "aws.events",
      account,
      time: new Date(firedAtMs).toISOString().replace(/\.\d{3}Z$/, "Z"),
      region,
      resources: [`arn:aws:events:${region}:${account}:rule/${rule}`],
      detail: {}
    })
  )
