/** A call whose answer is a stream that user code writes and ends. */
import type { Handler } from "./Handler.ts"
import { whenIdle } from "./Idle.ts"
import type { Context } from "./Invocation.ts"
import type { ResponseStream } from "./ResponseStream.ts"

/** Resolves when the stream has ended, well or not. */
const ended = (stream: ResponseStream) => new Promise<void>((resolve) => stream.once("close", resolve))

/** Calls the handler and waits for the end of its stream. Fails as the handler does, or when the stream was left unfinished. */
export const streamed = async (
  handler: Handler,
  event: unknown,
  stream: ResponseStream,
  context: Context
): Promise<void> => {
  const end = ended(stream)
  const idle = new Promise<void>((resolve) => whenIdle(resolve))
  try {
    const returned = handler.call(event, stream, context)
    if (!(returned instanceof Object && "then" in returned)) {
      throw new Error("Streaming does not support non-async handlers.")
    }
    const result = await Promise.race([returned, idle])
    if (result !== undefined) console.warn("Streaming handlers ignore return values.")
    await Promise.race([end, idle])
    if (!stream.writableFinished) throw stream.errored ?? new Error("Response stream is not finished.")
  } finally {
    whenIdle(undefined)
  }
}
