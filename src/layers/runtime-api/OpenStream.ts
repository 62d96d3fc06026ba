/**
 * The way of a streamed answer to its caller, for as long as the call is open. After that the answer runs to its end all the
 * same, and nobody gets it: a runtime that is not read would wait for ever.
 */
import type { AnswerStream } from "#domain/Invocation"

export class OpenStream implements AnswerStream {
  #caller: AnswerStream | undefined
  #resume: (() => void) | undefined

  constructor(caller: AnswerStream) {
    this.#caller = caller
  }

  begin(contentType: string): void {
    this.#caller?.begin(contentType)
  }

  write(chunk: Uint8Array): boolean {
    return this.#caller === undefined || this.#caller.write(chunk)
  }

  drained(resume: () => void): void {
    if (this.#caller === undefined) return resume()
    this.#resume = resume
    return this.#caller.drained(() => this.#goOn())
  }

  /** The caller has heard all he will hear. */
  close(): void {
    this.#caller = undefined
    this.#goOn()
  }

  #goOn(): void {
    const resume = this.#resume
    this.#resume = undefined
    resume?.()
  }
}
