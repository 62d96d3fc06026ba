/** One POST to an emulator, bytes in and bytes out. */
import { Effect } from "effect"
import { Buffer } from "node:buffer"
import type { Dispatcher } from "undici"
import type { Invocation } from "#domain/Invocation"
import type { EmulatorAnswer } from "#domain/RieAnswer"
import * as RieCall from "#domain/RieCall"

/** How it ended. `Unsent` promises that no byte of it has left; of `Cut` nobody knows how much did. */
export type Ending = {
  /** Since its first byte left. */
  readonly elapsedMs: number
} & (
  | { readonly _tag: "Answered"; readonly answer: EmulatorAnswer }
  | { readonly _tag: "TooLarge" }
  | { readonly _tag: "Unsent"; readonly detail: string }
  | { readonly _tag: "Cut"; readonly detail: string }
)

export interface Options {
  /** `http://host:port` */
  readonly origin: string
  readonly answerLimitBytes: number
  /** The connection stands, and the first byte leaves next. */
  readonly onHandOver: () => void
}

/** Nobody wants the rest. */
const left = new Error("the caller left")

/** Interrupted, the request goes no further: it is not begun, or its connection is cut. */
export const post = (dispatcher: Dispatcher, invocation: Invocation, options: Options): Effect.Effect<Ending> =>
  Effect.callback<Ending>((resume) => {
    const { payload } = invocation
    const chunks: Array<Buffer> = []
    let size = 0
    let head: Omit<EmulatorAnswer, "body"> = { status: 0, headers: {} }
    let begun: { readonly atMs: number; readonly controller: Dispatcher.DispatchController } | undefined
    let isLeft = false
    const elapsedMs = (): number => (begun === undefined ? 0 : performance.now() - begun.atMs)
    dispatcher.dispatch(
      {
        origin: options.origin,
        method: "POST",
        path: RieCall.path,
        // Every call has a connection of its own: one that was kept may lead to a worker that has ended meanwhile.
        reset: true,
        headers: RieCall.headersOf(invocation),
        body: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
      },
      {
        onRequestStart: (controller) => {
          if (isLeft) return controller.abort(left)
          begun = { atMs: performance.now(), controller }
          options.onHandOver()
        },
        onResponseStart: (_, status, headers) => {
          head = { status, headers }
        },
        onResponseData: (controller, chunk) => {
          size += chunk.length
          if (size <= options.answerLimitBytes) return void chunks.push(chunk)
          resume(Effect.succeed({ _tag: "TooLarge", elapsedMs: elapsedMs() }))
          controller.abort(left)
        },
        onResponseEnd: () => {
          const answer = { ...head, body: Buffer.concat(chunks) }
          resume(Effect.succeed({ _tag: "Answered", elapsedMs: elapsedMs(), answer }))
        },
        onResponseError: (_, { message: detail }) => {
          const _tag = begun === undefined ? "Unsent" : "Cut"
          resume(Effect.succeed({ _tag, elapsedMs: elapsedMs(), detail }))
        }
      }
    )
    return Effect.sync(() => {
      isLeft = true
      begun?.controller.abort(left)
    })
  })
