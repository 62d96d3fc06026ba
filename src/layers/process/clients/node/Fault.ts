/** How a failure of user code is told: AWS's error object, the header beside it, and the line in the log. */

/** A failure that the runtime itself recognises, under the name AWS gives it. */
export class RuntimeFault extends Error {
  override readonly name: `Runtime.${string}`
  constructor(name: `Runtime.${string}`, message: string, options?: { readonly stack?: string | undefined }) {
    super(message)
    this.name = name
    // The stack was captured under the name `Error`; the first line of the trace carries the type.
    const own = this.stack?.replace(/^Error/, name)
    this.stack = options?.stack ?? own ?? `${name}: ${message}`
  }
}

/** The body of `POST …/error` and of `POST …/init/error`. */
export interface ErrorBody {
  readonly errorType: string
  readonly errorMessage: string
  readonly trace: ReadonlyArray<string>
}

interface ErrorLike {
  readonly name: string
  readonly message: string
  readonly stack: string
}

/** Errors of another realm (`node:vm`, Jest) are errors too. */
const isErrorLike = (thrown: unknown): thrown is ErrorLike => {
  if (typeof thrown !== "object" || thrown === null) return false
  const { name, message, stack } = thrown as Partial<ErrorLike>
  return typeof name === "string" && typeof message === "string" && typeof stack === "string"
}

/** Whatever was thrown. Never throws itself, although getters and proxies of user code may. */
export const errorBody = (thrown: unknown): ErrorBody => {
  try {
    if (isErrorLike(thrown)) {
      return { errorType: thrown.name, errorMessage: thrown.message, trace: thrown.stack.split("\n") }
    }
    return { errorType: typeof thrown, errorMessage: String(thrown), trace: [] }
  } catch {
    // The words are AWS's.
    const errorMessage =
      "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack"
    return { errorType: "handled", errorMessage, trace: [] }
  }
}

/** As a header value: one line of printable ASCII, whatever user code called its error. */
export const headerValue = (text: string) => text.replace(/[^\x20-\x7e]/g, "?").slice(0, 256)

/** Adds to an error what JSON would leave out; its own enumerable properties stay. */
const withHiddenProperties = (_key: string, value: unknown) => {
  if (!(value instanceof Error)) return value
  const { name, message, stack } = value
  const code = (value as NodeJS.ErrnoException).code
  return { errorType: name, errorMessage: message, code, ...value, ...(stack && { stack: stack.split("\n") }) }
}

/** One line of JSON for the log, with the properties that user code gave its error. */
export const errorLine = (thrown: unknown): string => {
  try {
    return JSON.stringify(thrown instanceof Error ? thrown : new Error(String(thrown)), withHiddenProperties)
  } catch {
    // A property that refers back to the error, or one that cannot be read.
    return JSON.stringify(errorBody(thrown))
  }
}
