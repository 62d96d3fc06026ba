/**
 * The Lambda Runtime API as a state machine: what a worker's runtime and its extensions may say now, and what a worker is
 * good for. Every function takes the state of one worker's door and gives the next, or the refusal AWS would give.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
import { Result } from "effect"
import type { Phase } from "./Worker.ts"

/** States of a runtime, under the names AWS's refusals quote. */
export type RuntimeState =
  | "Started"
  | "InitError"
  /** Parked on `next`. */
  | "Ready"
  /** Holds an event. */
  | "Running"
  /** Its answer, or its error, is arriving. */
  | "InvocationResponse"
  | "InvocationErrorResponse"
  /** Owes nothing and has not polled again, or lost its poll. */
  | "ResponseSent"

export type ExtensionEvent = "INVOKE" | "SHUTDOWN"
export type ExtensionState = "Registered" | "Ready" | "Running" | "InitError" | "ExitError"

export interface Extension {
  readonly id: string
  readonly name: string
  readonly events: ReadonlySet<ExtensionEvent>
  readonly state: ExtensionState
}

export interface DoorState {
  readonly runtime: RuntimeState
  /** The runtime has polled and still owes its answer, or the end of it: AWS's client for Node does so after a failed stream. */
  readonly polledEarly: boolean
  /** Of the call that is open, else of the last one. */
  readonly requestId: string | undefined
  readonly extensions: ReadonlyArray<Extension>
  /** External extensions that were started and have not registered. */
  readonly awaited: ReadonlySet<string>
  /** Runtime and extensions have all polled once. */
  readonly initialised: boolean
  /** Why no further call may meet this worker. */
  readonly spoilt: string | undefined
}

/** An answer that is not the one asked for. `fault`: the worker has lost track of its call and is spoilt. */
export interface Refusal {
  readonly status: 400 | 403
  readonly errorType: string
  readonly errorMessage: string
  readonly fault: boolean
}

type Step = Result.Result<DoorState, Refusal>

/** AWS's limit on extensions of one function. */
export const mostExtensions = 10

export const opened = (externalExtensions: ReadonlyArray<string>): DoorState => ({
  runtime: "Started",
  polledEarly: false,
  requestId: undefined,
  extensions: [],
  awaited: new Set(externalExtensions),
  initialised: false,
  spoilt: undefined
})

const refuse = (status: 400 | 403, errorType: string, errorMessage: string): Result.Result<never, Refusal> =>
  Result.fail({ status, errorType, errorMessage, fault: false })

/** A runtime that steps out of order; while it holds an event the call can no longer be trusted. */
const outOfOrder = (state: DoorState, to: RuntimeState): Result.Result<never, Refusal> =>
  Result.fail({
    status: 403,
    errorType: "InvalidStateTransition",
    errorMessage: `State transition from ${state.runtime} to ${to} failed for runtime. Error: State transition is not allowed`,
    fault: state.runtime !== "Started" && state.runtime !== "InitError"
  })

/** Runtime and every extension wait for the next call: nothing of the last one is still running. */
const allWait = (state: DoorState): boolean =>
  state.runtime === "Ready" &&
  state.awaited.size === 0 &&
  state.extensions.every((extension) => extension.state === "Ready")

/** The step after which a worker is initialised for good. */
const settle = (state: DoorState): DoorState =>
  state.initialised || !allWait(state) ? state : { ...state, initialised: true }

/** The worker can be handed an event now. */
export const canTakeCall = (state: DoorState): boolean => state.spoilt === undefined && allWait(state)

const owesAnswer = (state: DoorState): boolean =>
  state.runtime === "Running" || state.runtime === "InvocationResponse" || state.runtime === "InvocationErrorResponse"

export const phaseOf = (state: DoorState): Phase => {
  if (state.spoilt !== undefined) return "dirty"
  if (!state.initialised) return "init"
  return allWait(state) ? "idle" : "busy"
}

export const spoil = (state: DoorState, why: string): DoorState =>
  state.spoilt === undefined ? { ...state, spoilt: why } : state

/** The runtime asks for the next event. A second poll takes the place of the first. */
export const runtimePolls = (state: DoorState): Step => {
  if (owesAnswer(state)) return Result.succeed({ ...state, polledEarly: true })
  return state.runtime === "InitError"
    ? outOfOrder(state, "Ready")
    : Result.succeed(settle({ ...state, runtime: "Ready" }))
}

/** The runtime has polled, and a moment later not even begun to answer: it has forgotten its call. */
export const answerOverdue = (state: DoorState): Step =>
  state.polledEarly && state.runtime === "Running" ? outOfOrder(state, "Ready") : Result.succeed(state)

/** The connection of a parked poll closed: the runtime must poll again before it gets a call. */
export const runtimePollLost = (state: DoorState): DoorState => {
  if (state.polledEarly) return { ...state, polledEarly: false }
  return state.runtime === "Ready" ? { ...state, runtime: state.initialised ? "ResponseSent" : "Started" } : state
}

/** The event is on its way to the runtime and to the extensions that want it. Only after {@link canTakeCall}. */
export const handOver = (state: DoorState, requestId: string): DoorState => ({
  ...state,
  requestId,
  runtime: "Running",
  extensions: state.extensions.map((extension) =>
    extension.events.has("INVOKE") ? { ...extension, state: "Running" } : extension
  )
})

export type AnswerKind = "InvocationResponse" | "InvocationErrorResponse"

/** The runtime begins to answer the call with this id. */
export const answerBegins = (state: DoorState, requestId: string, kind: AnswerKind): Step => {
  if (state.requestId !== requestId) return refuse(400, "InvalidRequestID", "Invalid request ID")
  return state.runtime === "Running" ? Result.succeed({ ...state, runtime: kind }) : outOfOrder(state, kind)
}

/** The last byte of the answer is there. */
export const answerEnds = (state: DoorState): DoorState => ({
  ...state,
  runtime: state.polledEarly ? "Ready" : "ResponseSent",
  polledEarly: false
})

/** The runtime begins to tell why it could not load the function. The worker is to be spoilt once that is known. */
export const initFails = (state: DoorState): Step =>
  state.runtime === "Started" ? Result.succeed({ ...state, runtime: "InitError" }) : outOfOrder(state, "InitError")

/** An extension makes itself known. External ones may subscribe to SHUTDOWN, those inside the runtime may not. */
export const extensionRegisters = (
  state: DoorState,
  extension: { readonly id: string; readonly name: string; readonly events: ReadonlyArray<string> }
): Step => {
  const external = state.awaited.has(extension.name)
  const events = new Set<ExtensionEvent>()
  for (const event of extension.events) {
    if (event !== "INVOKE" && event !== "SHUTDOWN") {
      return refuse(403, "Extension.InvalidEventType", `${event}: ErrorInvalidEventType`)
    }
    if (event === "SHUTDOWN" && !external) {
      return refuse(403, "Extension.InvalidEventType", `${event}: event not supported for internal extensions`)
    }
    events.add(event)
  }
  // The runtime's own extensions register before it polls; external ones start beside it and may come later.
  if (!external && (state.initialised || state.runtime === "Ready")) {
    return refuse(403, "Extension.RegistrationClosed", "Extension registration closed already")
  }
  if (state.extensions.some((other) => other.name === extension.name)) {
    return refuse(403, "Extension.InvalidExtensionState", "Extension with this name already registered")
  }
  if (state.extensions.length >= mostExtensions) {
    return refuse(403, "Extension.TooManyExtensions", `Extension limit (${mostExtensions}) reached`)
  }
  const awaited = new Set(state.awaited)
  awaited.delete(extension.name)
  const registered: Extension = { id: extension.id, name: extension.name, events, state: "Registered" }
  return Result.succeed({ ...state, awaited, extensions: [...state.extensions, registered] })
}

/** AWS's name for an extension that has not registered. */
export const unknownExtension = "Extension.UnknownExtensionIdentifier"

const extensionTo = (
  state: DoorState,
  id: string,
  to: ExtensionState,
  allowed: (extension: Extension) => boolean
): Step => {
  const extension = state.extensions.find((other) => other.id === id)
  if (extension === undefined) return refuse(403, unknownExtension, `Unknown extension ${id}`)
  if (!allowed(extension)) {
    return refuse(
      403,
      "Extension.InvalidExtensionState",
      `State transition from ${extension.state} to ${to} failed for extension ${id}. Error: State transition is not allowed`
    )
  }
  const extensions = state.extensions.map((other) => (other.id === id ? { ...other, state: to } : other))
  return Result.succeed({ ...state, extensions })
}

/** An extension asks for its next event: it has done its part of the last call. */
export const extensionPolls = (state: DoorState, id: string): Step =>
  Result.map(
    extensionTo(state, id, "Ready", ({ state }) => state !== "InitError" && state !== "ExitError"),
    settle
  )

/** The connection of an extension's parked poll closed. */
export const extensionPollLost = (state: DoorState, id: string): DoorState =>
  Result.getOrElse(
    extensionTo(state, id, "Running", (extension) => extension.state === "Ready"),
    () => state
  )

/** An extension gives up. The worker is of no use any more. */
export const extensionFails = (state: DoorState, id: string, how: "InitError" | "ExitError"): Step =>
  Result.map(
    extensionTo(state, id, how, (extension) => how === "ExitError" || extension.state === "Registered"),
    (next) => spoil(next, `one of its extensions reported ${how}`)
  )
