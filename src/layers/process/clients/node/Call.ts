/** One call from its event to the answer that the Runtime API took. */
import { awaited, classic, type Outcome } from "./BufferedCall.ts"
import { NotAnswered } from "./Connection.ts"
import type { Log } from "./Console.ts"
import type { CrashReport } from "./Crash.ts"
import { RuntimeFault } from "./Fault.ts"
import type { Handler } from "./Handler.ts"
import type { HttpAnswer } from "./HttpAnswer.ts"
import { contextOf, type Invocation } from "./Invocation.ts"
import { ResponseStream } from "./ResponseStream.ts"
import type { RuntimeApi } from "./RuntimeApi.ts"
import { flushed } from "./StandardStreams.ts"
import { streamed } from "./StreamedCall.ts"

export interface Worker {
  readonly api: RuntimeApi
  /** For what must be told while the first connection may be in use. */
  readonly lastWords: RuntimeApi
  readonly log: Log
  readonly crash: CrashReport
  readonly environment: NodeJS.ProcessEnv
  /** Which of AWS's two sets of rules holds. */
  readonly since24: boolean
}

/** An answer that is refused, or lost with the connection, is over for this worker; the next poll decides on its life. */
export const tell = async (post: Promise<HttpAnswer>) => {
  try {
    const { status, body } = await post
    if (status >= 400) console.warn(`The Runtime API refused an answer with ${status}: ${body.toString()}`)
  } catch (cause) {
    if (!(cause instanceof NotAnswered)) throw cause
    console.warn(cause.message)
  }
}

const serialise = (result: unknown, since24: boolean): string => {
  try {
    return JSON.stringify(result) ?? "null"
  } catch {
    const message = "Unable to stringify response body"
    throw since24 ? new RuntimeFault("Runtime.JSONStringifyError", message) : new Error(message)
  }
}

const outcomeOf = async (worker: Worker, handler: Handler, invocation: Invocation): Promise<Outcome> => {
  try {
    const event: unknown = JSON.parse(invocation.event.toString())
    const style = worker.since24 ? awaited : classic
    return await style(handler.call, event, contextOf(invocation, worker.environment))
  } catch (thrown) {
    return { thrown }
  }
}

/** Posts what the caller gets, unless a crash was faster. One that comes later can only wait for it. */
const settle = async (worker: Worker, post: () => Promise<HttpAnswer>) => {
  await flushed()
  if (worker.crash.ending) return
  const told = tell(post())
  worker.crash.send = () => told
  await told
}

export const performBuffered = async (worker: Worker, handler: Handler, invocation: Invocation) => {
  const { requestId } = invocation
  worker.crash.send = (thrown) => worker.lastWords.fail(requestId, thrown)
  const outcome = await outcomeOf(worker, handler, invocation)
  try {
    if ("thrown" in outcome) throw outcome.thrown
    const json = serialise(outcome.result, worker.since24)
    await settle(worker, () => worker.api.respond(requestId, json))
  } catch (thrown) {
    worker.log.error("Invoke Error", thrown)
    await settle(worker, () => worker.api.fail(requestId, thrown))
  }
}

export const performStreamed = async (worker: Worker, handler: Handler, invocation: Invocation) => {
  const start = (contentType: string) => worker.api.stream(invocation.requestId, contentType)
  const stream = new ResponseStream(start, handler.highWaterMark)
  worker.crash.send = async (thrown) => {
    await stream.fail(thrown)
    await stream.answer()
  }
  try {
    const event: unknown = JSON.parse(invocation.event.toString())
    await streamed(handler, event, stream, contextOf(invocation, worker.environment))
  } catch (thrown) {
    worker.log.error("Invoke Error", thrown)
    await stream.fail(thrown)
  }
  await tell(stream.answer())
}
