/** An answer that a runtime streams, and a caller who takes it. */
import { assert } from "@effect/vitest"
import type { AnswerStream } from "#domain/Invocation"
import type { RawRuntime } from "./RawRuntime.ts"

/** A caller who takes a rest when the test wants it. */
export class Listener implements AnswerStream {
  contentType: string | undefined
  readonly chunks: Array<Buffer> = []
  /** Takes no more until {@link wake}. */
  asleep = false
  #resume: (() => void) | undefined

  begin(contentType: string): void {
    assert.isUndefined(this.contentType)
    this.contentType = contentType
  }

  write(chunk: Uint8Array): boolean {
    this.chunks.push(Buffer.from(chunk))
    return !this.asleep
  }

  drained(resume: () => void): void {
    assert.isUndefined(this.#resume)
    this.#resume = resume
  }

  wake(): void {
    this.asleep = false
    const resume = this.#resume
    this.#resume = undefined
    resume?.()
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }
}

const headers = {
  "lambda-runtime-function-response-mode": "streaming",
  "content-type": "text/event-stream",
  "transfer-encoding": "chunked",
  trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"
}

/** As a runtime begins to answer a call. Its receipt may never come. */
export const begin = (runtime: Pick<RawRuntime, "beginResponse" | "heard">, requestId: string) => {
  const answer = runtime.beginResponse(requestId, headers)
  const receipt = runtime.heard(answer)
  receipt.catch(() => undefined)
  return { answer, receipt }
}
