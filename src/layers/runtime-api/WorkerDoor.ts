/**
 * One worker's door: what its runtime and its callers say to each other. It keeps the state, asks
 * `RuntimeProtocol` what may happen, and performs the outcome. Plain callbacks and no fiber: every warm call passes here.
 */
import { Effect, Result } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { AnswerStream, Invocation, Report } from "#domain/Invocation"
import * as ReportLine from "#domain/ReportLine"
import * as RuntimeProtocol from "#domain/RuntimeProtocol"
import type { Phase } from "#domain/Worker"
import { exitError, type ExitStatus, type PlatformError, platformError, timeoutError } from "#domain/WorkerExit"
import type { LogSink } from "#services/LogSink"
import type { DoorSpec, ShutdownReason } from "#services/RuntimeApi"
import * as Answers from "./Answers.ts"
import { CallLog } from "./CallLog.ts"
import type { DoorSettings } from "./DoorSettings.ts"
import { type Conversation, ExtensionDesk } from "./ExtensionDesk.ts"
import * as FunctionAnswer from "./FunctionAnswer.ts"
import * as OpenCall from "./OpenCall.ts"
import * as OutputCapture from "./OutputCapture.ts"
import { ParkedPoll } from "./ParkedPoll.ts"
import { type Starting, WorkerStart } from "./WorkerStart.ts"

const killed: ExitStatus = { code: undefined, signal: "SIGKILL", outOfMemory: false, extension: undefined }

export class WorkerDoor implements Conversation {
  readonly spec: DoorSpec
  readonly settings: DoorSettings
  readonly output: OutputCapture.OutputCapture
  readonly extensions: ExtensionDesk
  state: RuntimeProtocol.DoorState
  calls = 0
  lastCallAtUnixMs: number | undefined
  /** The highest resident size that was measured. */
  memoryBytes = 0

  readonly #log: CallLog
  readonly #start: WorkerStart
  /** The runtime's parked poll. */
  readonly #poll = new ParkedPoll(() => {
    this.state = RuntimeProtocol.runtimePollLost(this.state)
  })
  #earlyTimer: NodeJS.Timeout | undefined
  #call: OpenCall.OpenCall | undefined

  /** `isReturn`: the worker has had this door before, in an earlier run. */
  constructor(spec: DoorSpec, settings: DoorSettings, sink: LogSink["Service"], isReturn: boolean) {
    this.spec = spec
    this.settings = settings
    this.state = RuntimeProtocol.opened(spec.extensionNames)
    this.#log = new CallLog(spec, settings, sink)
    this.#start = new WorkerStart(spec, isReturn)
    this.output = OutputCapture.make(settings, (line) => this.#log.line(line))
    this.extensions = new ExtensionDesk(this)
  }

  get phase(): Phase {
    return RuntimeProtocol.phaseOf(this.state)
  }

  // What callers do.

  /** The worker exists from now on: its init limit runs. */
  admitted(): void {
    const { initLimitMs } = this.settings
    this.#start.begin(initLimitMs, () => this.failStart(timeoutError(this.#start.id, initLimitMs), "timeout"))
  }

  /** Returns how to stop waiting. */
  ready(resume: Starting): () => void {
    const { failure } = this.#start
    if (failure !== undefined) resume(Effect.fail(failure))
    else if (this.state.spoilt !== undefined) resume(OpenCall.unreachable(this.spec, this.state.spoilt))
    else if (this.state.initialised) resume(Effect.void)
    else return this.#start.wait(resume)
    return () => undefined
  }

  /** Hands the event over now, or when the worker has polled again. Returns what to do when nobody waits any more. */
  invoke(invocation: Invocation, resume: OpenCall.Resume, stream?: AnswerStream): () => void {
    if (this.#call !== undefined || this.state.spoilt !== undefined) {
      resume(OpenCall.unreachable(this.spec, this.state.spoilt ?? "it has a call already"))
      return () => undefined
    }
    const call = OpenCall.open(invocation, resume, stream)
    this.#call = call
    if (RuntimeProtocol.canTakeCall(this.state)) this.#handOver(call)
    else
      OpenCall.limit(call, this.settings.settleLimitMs, () => this.spoil("it did not poll for its next call in time"))
    return () => this.#abandon(call)
  }

  shutdown(reason: ShutdownReason, deadlineUnixMs: number): number {
    this.spoil("it is shutting down")
    return this.extensions.deliverShutdown(reason, deadlineUnixMs)
  }

  exited(status: ExitStatus): void {
    this.output.flush()
    this.failStart(exitError(this.#start.id, status), "error")
    this.spoil("its process has ended")
    this.#failCall((requestId) => exitError(requestId, status))
  }

  close(): void {
    this.spoil("its door is closed")
    this.#failCall((requestId) => exitError(requestId, killed))
    clearTimeout(this.#earlyTimer)
    this.#settleLog()
  }

  // What the runtime does.

  /** Takes the next state, or answers with the refusal. */
  agree(step: Result.Result<RuntimeProtocol.DoorState, RuntimeProtocol.Refusal>, response: ServerResponse): boolean {
    if (Result.isSuccess(step)) {
      this.state = step.success
      return true
    }
    Answers.refusal(response, step.failure)
    // An extension registers once, and one that is not known here misses every call.
    if (this.#start.isReturn && step.failure.errorType === RuntimeProtocol.unknownExtension) {
      this.spoil("its extensions registered in an earlier run")
    }
    if (step.failure.fault) this.#fault("Runtime.Unknown", step.failure.errorMessage)
    return false
  }

  runtimePolls(response: ServerResponse): void {
    if (!this.agree(RuntimeProtocol.runtimePolls(this.state), response)) return
    this.#poll.park(response)
    if (this.state.polledEarly) this.#expectAnswer(response)
    this.advance()
  }

  /** The runtime begins to answer; the rest of the answer follows. */
  answerBegins(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
    kind: RuntimeProtocol.AnswerKind
  ): void {
    if (!this.agree(RuntimeProtocol.answerBegins(this.state, requestId, kind), response)) return
    FunctionAnswer.receive(request, response, kind, this.settings, {
      stream: this.#call?.stream,
      answered: (answer) => this.#succeed(answer),
      ended: () => {
        this.state = RuntimeProtocol.answerEnds(this.state)
        this.advance()
      },
      cut: () => this.#cut()
    })
  }

  initFails(request: IncomingMessage, response: ServerResponse): void {
    if (!this.agree(RuntimeProtocol.initFails(this.state), response)) return
    FunctionAnswer.receiveError(request, response, this.settings, (error) => this.failStart(error, "error"))
  }

  /** Somebody has polled: the start may be over, the last call may be, and a waiting one may begin. */
  advance(): void {
    if (this.state.initialised && !this.#start.isOver) this.#start.succeed()
    if (!RuntimeProtocol.canTakeCall(this.state)) return
    this.#settleLog()
    const call = this.#call
    if (call !== undefined && call.handedOverAtMs === undefined) this.#handOver(call)
  }

  /** The start is over, and failed. Whatever came first is what everybody is told. */
  failStart(error: FunctionAnswer.StartError, status: "timeout" | "error"): void {
    if (this.#start.isOver) return
    // It had started well, so its log has nothing to tell of a start.
    if (this.#start.isReturn) return this.spoil("it did not come back")
    this.output.flush()
    if (error.message !== undefined) this.#log.remark(`${error.message}\n${error.errorType}`)
    const ending = status === "timeout" ? status : { errorType: error.errorType }
    this.#log.remark(ReportLine.initReport(this.#start.elapsedMs, ending))
    this.state = RuntimeProtocol.spoil(this.state, "it did not start")
    this.#start.fail(error, this.#log.tail())
    this.spoil("it did not start")
  }

  /** No further call may meet this worker. A call that waits for it leaves; one that was handed over goes on. */
  spoil(why: string): void {
    this.state = RuntimeProtocol.spoil(this.state, why)
    this.#start.abandon(why)
    const call = this.#call
    if (call === undefined || call.handedOverAtMs !== undefined) return
    this.#forget(call)
    call.resume(OpenCall.unreachable(this.spec, why))
  }

  /** A runtime that polls already must be answering, on another connection: in a moment it is seen to. */
  #expectAnswer(poll: ServerResponse): void {
    clearTimeout(this.#earlyTimer)
    this.#earlyTimer = setTimeout(() => {
      if (this.#poll.holds(poll)) this.agree(RuntimeProtocol.answerOverdue(this.state), poll)
    }, this.settings.faultGraceMs)
  }

  #handOver(call: OpenCall.OpenCall): void {
    const poll = this.#poll.take()
    if (poll === undefined) return
    const { invocation } = call
    const { timeoutMs } = this.spec
    this.state = RuntimeProtocol.handOver(this.state, invocation.requestId)
    this.calls += 1
    this.#log.begin(invocation)
    call.handedOverAtMs = performance.now()
    OpenCall.limit(call, timeoutMs, () => this.#timeOut(call))
    this.lastCallAtUnixMs = Date.now()
    const deadlineUnixMs = this.lastCallAtUnixMs + timeoutMs
    Answers.event(poll, invocation, deadlineUnixMs)
    this.extensions.deliverInvoke(invocation, deadlineUnixMs)
  }

  #succeed(answer: FunctionAnswer.FunctionAnswer): void {
    const call = this.#call
    if (call === undefined) return
    this.#forget(call)
    const report = this.#report(call)
    const finish = (): void => {
      this.#log.end(report, "success")
      if (this.state.runtime === "Ready") this.#settleLog()
      call.resume(Effect.succeed({ ...answer, report, logTail: this.#log.tail() }))
    }
    if (!call.invocation.wantsLogTail) return finish()
    // What the function wrote before it answered may still be in its pipe: one turn for a read that is due, one to be sure.
    setImmediate(() =>
      setImmediate(() => {
        this.output.flush()
        finish()
      })
    )
  }

  #timeOut(call: OpenCall.OpenCall): void {
    const { requestId } = call.invocation
    const { timeoutMs } = this.spec
    this.output.flush()
    this.#log.remark(ReportLine.timedOut(requestId, timeoutMs, Date.now()))
    const error = timeoutError(requestId, timeoutMs)
    this.spoil("its call timed out")
    this.#end(call, "timeout", () => OpenCall.timedOut(this.spec, call, error, this.#log.tail()))
  }

  /** The connection closed in the middle of an answer. If the worker has ended with it, that is the better story. */
  #cut(): void {
    this.spoil("its answer was cut off")
    const call = this.#call
    if (call === undefined) return
    OpenCall.limit(call, this.settings.faultGraceMs, () =>
      this.#fault("Runtime.TruncatedResponse", "the connection closed before the end of the response")
    )
  }

  /** The runtime has lost track of its call. */
  #fault(errorType: string, reason: string): void {
    this.spoil(`it broke the protocol: ${reason}`)
    this.#failCall((requestId) => platformError(requestId, errorType, reason))
  }

  /** Ends the call that was handed over, if there is one, with an error of the platform. */
  #failCall(errorOf: (requestId: string) => PlatformError): void {
    const call = this.#call
    if (call?.handedOverAtMs === undefined) return
    const error = errorOf(call.invocation.requestId)
    this.output.flush()
    this.#log.remark(`${error.message}\n${error.errorType}`)
    this.#end(call, { errorType: error.errorType }, () => OpenCall.exited(this.spec, call, error, this.#log.tail()))
  }

  /** Resuming runs the caller at once, so the state must be right before. */
  #end(
    call: OpenCall.OpenCall,
    status: ReportLine.CallStatus,
    outcome: () => Effect.Effect<never, OpenCall.CallFailure>
  ): void {
    this.#forget(call)
    this.#log.end(this.#report(call), status)
    this.#log.settle()
    call.resume(outcome())
  }

  /** The caller was interrupted. The event cannot be taken back: the call goes on for nobody, and is the worker's last. */
  #abandon(call: OpenCall.OpenCall): void {
    if (this.#call !== call) return
    if (call.handedOverAtMs === undefined) return this.#forget(call)
    call.stream?.close()
    this.spoil("its caller left in the middle of a call")
  }

  #forget(call: OpenCall.OpenCall): void {
    clearTimeout(call.timer)
    call.stream?.close()
    this.#call = undefined
  }

  #report(call: OpenCall.OpenCall): Report {
    return {
      durationMs: performance.now() - (call.handedOverAtMs ?? 0),
      initDurationMs: this.calls === 1 ? this.#start.durationMs : undefined,
      maxMemoryBytes: this.memoryBytes
    }
  }

  #settleLog(): void {
    this.output.flush()
    this.#log.settle()
  }
}
