/** A call in which every question is answered before the next one is asked. */
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js"
import { Effect } from "effect"
import { type ContainerdFailure, failureOf, lateFailure } from "./ContainerdFailure.ts"

/** What comes back for a question. Nobody else may be asking. */
export const answerTo = <Question, Answer>(
  talk: ClientDuplexStream<Question, Answer>,
  question: Question,
  method: string,
  limitMs: number
): Effect.Effect<Answer, ContainerdFailure> =>
  Effect.callback<Answer, ContainerdFailure>((resume) => {
    const failed = (error: ServiceError): void => done(Effect.fail(failureOf(method, error)))
    const ended = (): void => done(Effect.fail(failureOf(method, null)))
    const heard = (answer: Answer): void => done(Effect.succeed(answer))
    const leave = (): void => {
      talk.off("data", heard).off("error", failed).off("end", ended)
    }
    const done = (outcome: Effect.Effect<Answer, ContainerdFailure>): void => {
      leave()
      resume(outcome)
    }
    talk.on("data", heard).on("error", failed).on("end", ended)
    if (talk.destroyed) return ended()
    talk.write(question)
    return Effect.sync(leave)
  }).pipe(
    Effect.timeoutOrElse({
      duration: limitMs,
      orElse: () => Effect.fail(lateFailure(method, limitMs))
    })
  )
