/** A handler as grpc-js calls it: every call is a fiber, which ends with the call and whose end is the call's. */
import type { DescMethod } from "@bufbuild/protobuf"
import {
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
  type StatusObject,
  type UntypedHandleCall
} from "@grpc/grpc-js"
import { Cause, Effect, Exit, type Fiber, Option, Result, Stream } from "effect"
import { InvalidParameter } from "#domain/Failure"
import type { Call } from "./CallHandler.ts"
import * as Refused from "./Refused.ts"

type Refusal = Refused.Refused
type Work = Effect.Effect<void, Refusal>

/** Starts the fiber of a call, which the server owns. */
export type Run = (work: Work) => Fiber.Fiber<void, Refusal>

/** A message, or why it is none. */
export type Arrived = Result.Result<object, unknown>

type OneAnswer = (request: object, call: Call) => Effect.Effect<object, Refusal>
type ManyAnswers = (request: object, call: Call) => Stream.Stream<object, Refusal>

const stopping: Partial<StatusObject> = { code: status.UNAVAILABLE, details: "the server is stopping" }
const internal: Partial<StatusObject> = { code: status.INTERNAL, details: "internal error" }

/** The client learns of a bug only that there is one. */
const statusOf = (cause: Cause.Cause<Refusal>): Partial<StatusObject> => {
  if (Cause.hasInterruptsOnly(cause)) return stopping
  const refused = Cause.findErrorOption(cause)
  return Option.isSome(refused) ? refused.value.status : internal
}

/** The log learns the rest. */
const reportBug = (work: Work, { name }: DescMethod): Work =>
  Effect.tapCause(work, (cause) => (Cause.hasDies(cause) ? Effect.logError(`${name} met a bug`, cause) : Effect.void))

const read = (message: Arrived, { input }: DescMethod): Effect.Effect<object, Refusal> => {
  if (Result.isSuccess(message)) return Effect.succeed(message.success)
  const why = message.failure instanceof Error ? message.failure.message : String(message.failure)
  const told = `the message cannot be read as ${input.typeName}: ${why}`
  return Effect.fail(Refused.ofFailure(new InvalidParameter({ name: "message", message: told }), "failed to read"))
}

interface AnyCall {
  readonly getHost: () => string | undefined
  readonly getPeer: () => string
  readonly on: (event: "cancelled", listener: () => void) => unknown
}

const about = (call: AnyCall): Call => ({ authority: call.getHost() ?? "", peer: call.getPeer() })

/** Runs the call to its end, or until the client takes it back or its deadline passes. */
const attend = (
  run: Run,
  method: DescMethod,
  call: AnyCall,
  work: Work,
  end: (exit: Exit.Exit<void, Refusal>) => void
): void => {
  const fiber = run(reportBug(work, method))
  call.on("cancelled", () => fiber.interruptUnsafe())
  fiber.addObserver(end)
}

const unary =
  (run: Run, method: DescMethod, handler: OneAnswer) =>
  (call: ServerUnaryCall<Arrived, object>, respond: sendUnaryData<object>): void => {
    let answer: object | undefined
    const work = read(call.request, method).pipe(
      Effect.flatMap((request) => handler(request, about(call))),
      Effect.map((given) => {
        answer = given
      })
    )
    attend(run, method, call, work, (exit) =>
      Exit.isSuccess(exit) ? respond(null, answer) : respond(statusOf(exit.cause))
    )
  }

interface Speaking {
  readonly destroyed: boolean
  readonly write: (message: object, written: () => void) => boolean
  readonly end: () => unknown
  readonly emit: (event: "error", status: Partial<StatusObject>) => boolean
}

/** Says one thing, and waits until there is room for the next. What is said to a client that has gone is lost. */
const say = (call: Speaking, message: object) =>
  Effect.callback<void>((resume) => {
    call.write(message, () => resume(Effect.void))
  })

/** grpc-js takes the last status of a stream from an error. */
const fallSilent =
  (call: Speaking) =>
  (exit: Exit.Exit<void, Refusal>): void => {
    if (Exit.isSuccess(exit)) call.end()
    else if (!call.destroyed) call.emit("error", statusOf(exit.cause))
  }

const serverStreaming =
  (run: Run, method: DescMethod, handler: ManyAnswers) =>
  (call: ServerWritableStream<Arrived, object>): void => {
    const work = read(call.request, method).pipe(
      Effect.flatMap((request) => Stream.runForEach(handler(request, about(call)), (answer) => say(call, answer)))
    )
    attend(run, method, call, work, fallSilent(call))
  }

/** What the client says next; `undefined` once it has said its last. */
const hear = (call: ServerDuplexStream<Arrived, object>) =>
  Effect.callback<Arrived | undefined>((resume) => {
    const events = ["readable", "end", "close"]
    const listen = (): void => {
      const message = call.read() as Arrived | null
      if (message === null && !call.readableEnded && !call.destroyed) return
      stop()
      resume(Effect.succeed(message ?? undefined))
    }
    const stop = (): void => {
      for (const event of events) call.off(event, listen)
    }
    for (const event of events) call.on(event, listen)
    listen()
    return Effect.sync(stop)
  })

const bidiStreaming =
  (run: Run, method: DescMethod, handler: OneAnswer) =>
  (call: ServerDuplexStream<Arrived, object>): void => {
    const work = Effect.gen(function* () {
      for (let message = yield* hear(call); message !== undefined; message = yield* hear(call)) {
        yield* say(call, yield* handler(yield* read(message, method), about(call)))
      }
    })
    attend(run, method, call, work, fallSilent(call))
  }

/** `handler` is one of the {@link CallHandlers} of the method's service, by the method's name. */
export const implement = (method: DescMethod, handler: unknown, run: Run): UntypedHandleCall => {
  switch (method.methodKind) {
    case "unary":
      return unary(run, method, handler as OneAnswer)
    case "server_streaming":
      return serverStreaming(run, method, handler as ManyAnswers)
    case "bidi_streaming":
      return bidiStreaming(run, method, handler as OneAnswer)
    case "client_streaming":
      throw new Error(`${method.name}: no service of ours streams from the client alone`)
  }
}
