/**
 * The lines the platform writes around a call, in AWS's own words.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
 */
import type { Report } from "./Invocation.ts"

const bytesPerMiB = 1_048_576
const milliseconds = (value: number): string => `${value.toFixed(2)} ms`

/** How a call ended, when it did not end with an answer of the function. */
export type CallStatus = "success" | "timeout" | { readonly errorType: string }

const statusFields = (status: CallStatus): ReadonlyArray<string> => {
  if (status === "success") return []
  if (status === "timeout") return ["Status: timeout"]
  return ["Status: error", `Error Type: ${status.errorType}`]
}

export const start = (requestId: string): string => `START RequestId: ${requestId} Version: $LATEST`

export const end = (requestId: string): string => `END RequestId: ${requestId}`

/** Fields each followed by a tab. Billed time is the duration in whole milliseconds, rounded up. */
export const report = (requestId: string, memoryMiB: number, report: Report, status: CallStatus): string =>
  [
    `REPORT RequestId: ${requestId}`,
    `Duration: ${milliseconds(report.durationMs)}`,
    `Billed Duration: ${Math.ceil(report.durationMs)} ms`,
    `Memory Size: ${memoryMiB} MB`,
    `Max Memory Used: ${Math.ceil(report.maxMemoryBytes / bytesPerMiB)} MB`,
    ...(report.initDurationMs === undefined ? [] : [`Init Duration: ${milliseconds(report.initDurationMs)}`]),
    ...statusFields(status),
    ""
  ].join("\t")

/** Written when a worker does not come up; one that does is told of in the `REPORT` line of its first call. */
export const initReport = (durationMs: number, status: CallStatus): string =>
  [`INIT_REPORT Init Duration: ${milliseconds(durationMs)}`, "Phase: init", ...statusFields(status), ""].join("\t")

export const timedOut = (requestId: string, timeoutMs: number, atUnixMs: number): string =>
  `${new Date(atUnixMs).toISOString()} ${requestId} Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`
