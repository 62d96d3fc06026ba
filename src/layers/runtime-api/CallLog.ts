/** The log of one worker: every line with the call it belongs to, and the platform's own lines around each call. */
import { levelOf } from "#domain/LogLine"
import type { Report } from "#domain/Invocation"
import type { Invocation } from "#domain/Invocation"
import type { LogRecord, LogSource } from "#domain/LogRecord"
import * as LogTail from "#domain/LogTail"
import * as ReportLine from "#domain/ReportLine"
import type { LogSink } from "#services/LogSink"
import type { DoorSpec } from "#services/RuntimeApi"
import type { DoorSettings } from "./DoorSettings.ts"

interface Ending {
  readonly report: Report
  readonly status: ReportLine.CallStatus
}

export class CallLog {
  readonly #spec: DoorSpec
  readonly #write: LogSink["Service"]["write"]
  readonly #everyCall: boolean
  /** The call in flight, else the last one: lines that come late are still its own. */
  #invocation: Invocation | undefined
  #tail: LogTail.LogTail | undefined
  /** The call's `START` line is written. */
  #announced = true
  #ending: Ending | undefined

  constructor(spec: DoorSpec, settings: DoorSettings, sink: LogSink["Service"]) {
    this.#spec = spec
    this.#write = sink.write
    this.#everyCall = settings.platformLines === "every-call"
    // What is written before the first call belongs to the start; whoever waits for that may be told.
    this.#tail = LogTail.make()
  }

  begin(invocation: Invocation): void {
    this.settle()
    this.#invocation = invocation
    this.#tail = invocation.wantsLogTail ? LogTail.make() : undefined
    this.#tail?.append(ReportLine.start(invocation.requestId))
    this.#announced = false
    if (this.#everyCall) this.#announce()
  }

  /** A line of the worker's output. */
  line(text: string): void {
    this.#announce()
    this.#record("function", levelOf(text), text)
    this.#tail?.append(text)
  }

  /** A line of the platform's about the call, such as why it ended. */
  remark(text: string): void {
    this.#announce()
    this.#record("platform", "ERROR", text)
    this.#tail?.append(text)
  }

  /** The call is over. Its last lines may still be in a pipe: they are written before `END` until {@link settle}. */
  end(report: Report, status: ReportLine.CallStatus): void {
    this.#ending = { report, status }
    if (status !== "success" || report.initDurationMs !== undefined) this.#announce()
    if (this.#tail === undefined || this.#invocation === undefined) return
    this.#tail.append(ReportLine.end(this.#invocation.requestId))
    this.#tail.append(this.#reportLine(this.#invocation, this.#ending))
  }

  /** Writes `END` and `REPORT` of a call that is over: nothing more is expected of it. */
  settle(): void {
    const [invocation, ending] = [this.#invocation, this.#ending]
    this.#ending = undefined
    if (invocation === undefined || ending === undefined || !this.#announced) return
    this.#record("platform", "INFO", ReportLine.end(invocation.requestId))
    this.#record("platform", "INFO", this.#reportLine(invocation, ending))
  }

  /** At most 4 KiB; empty for a call that did not ask. */
  tail(): Uint8Array {
    return this.#tail?.bytes() ?? new Uint8Array()
  }

  #announce(): void {
    if (this.#announced || this.#invocation === undefined) return
    this.#announced = true
    this.#record("platform", "INFO", ReportLine.start(this.#invocation.requestId))
  }

  #reportLine(invocation: Invocation, { report, status }: Ending): string {
    return ReportLine.report(invocation.requestId, this.#spec.memoryMiB, report, status)
  }

  #record(source: LogSource, level: LogRecord["level"], message: string): void {
    const record: LogRecord = {
      atUnixMs: Date.now(),
      source,
      level,
      message,
      functionName: this.#spec.functionName,
      containerName: this.#spec.containerName,
      requestId: this.#invocation?.requestId,
      traceId: this.#invocation?.traceId
    }
    this.#write(record, this.#spec.owner)
  }
}
