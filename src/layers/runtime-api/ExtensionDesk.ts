/**
 * The Extensions API of one worker: who has registered, whose poll is parked, and the events they get.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
import { type Result, Schema } from "effect"
import { randomUUID } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Invocation } from "#domain/Invocation"
import * as RuntimeProtocol from "#domain/RuntimeProtocol"
import { platformError } from "#domain/WorkerExit"
import type { DoorSpec, ShutdownReason } from "#services/RuntimeApi"
import * as Answers from "./Answers.ts"
import type { DoorSettings } from "./DoorSettings.ts"
import * as RequestBody from "./RequestBody.ts"
import type { StartError } from "./FunctionAnswer.ts"

const Registration = Schema.Struct({ events: Schema.optionalKey(Schema.Array(Schema.String)) })
const decodeRegistration = Schema.decodeUnknownOption(Schema.fromJsonString(Registration))

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const forbidden = (errorType: string, errorMessage: string) => ({ status: 403, errorType, errorMessage })

/** What the desk needs of the door it stands behind. */
export interface Conversation {
  readonly spec: DoorSpec
  readonly settings: DoorSettings
  state: RuntimeProtocol.DoorState
  /** Takes the next state, or answers with the refusal. */
  readonly agree: (
    step: Result.Result<RuntimeProtocol.DoorState, RuntimeProtocol.Refusal>,
    response: ServerResponse
  ) => boolean
  /** Somebody has polled. */
  readonly advance: () => void
  readonly failStart: (error: StartError, status: "timeout" | "error") => void
}

export class ExtensionDesk {
  readonly #door: Conversation
  /** Parked polls by the id of their extension. */
  readonly #polls = new Map<string, ServerResponse>()
  /** Once the worker is shut down: what extensions get that poll late. */
  #shutdown: unknown

  constructor(door: Conversation) {
    this.#door = door
  }

  registers(request: IncomingMessage, response: ServerResponse): void {
    const name = request.headers["lambda-extension-name"]
    if (typeof name !== "string" || name === "") {
      return Answers.refusal(response, forbidden("Extension.InvalidExtensionName", "Empty extension name"))
    }
    this.#read(request, response, (body) => this.#register(name, body, request, response))
  }

  polls(request: IncomingMessage, response: ServerResponse): void {
    const id = this.#identify(request, response)
    if (id === undefined) return
    const door = this.#door
    if (!door.agree(RuntimeProtocol.extensionPolls(door.state, id), response)) return
    this.#polls.get(id)?.destroy()
    this.#polls.set(id, response)
    response.on("close", () => {
      if (this.#polls.get(id) !== response) return
      this.#polls.delete(id)
      door.state = RuntimeProtocol.extensionPollLost(door.state, id)
    })
    if (this.#shutdown !== undefined) this.#deliver("SHUTDOWN", this.#shutdown)
    door.advance()
  }

  fails(request: IncomingMessage, response: ServerResponse, how: "InitError" | "ExitError"): void {
    const id = this.#identify(request, response)
    if (id === undefined) return
    const errorType = request.headers["lambda-extension-function-error-type"]
    if (typeof errorType !== "string" || errorType === "") {
      const message = "Lambda-Extension-Function-Error-Type not found"
      return Answers.refusal(response, forbidden("Extension.MissingHeader", message))
    }
    this.#read(request, response, () => {
      const door = this.#door
      if (!door.agree(RuntimeProtocol.extensionFails(door.state, id, how), response)) return
      Answers.accepted(response)
      door.failStart(platformError(id, `Extension.${how}`, errorType), "error")
    })
  }

  deliverInvoke(invocation: Invocation, deadlineMs: number): void {
    if (this.#polls.size === 0) return
    this.#deliver("INVOKE", {
      eventType: "INVOKE",
      deadlineMs,
      requestId: invocation.requestId,
      invokedFunctionArn: invocation.invokedArn,
      tracing: { type: "X-Amzn-Trace-Id", value: invocation.traceId }
    })
  }

  /** At once to those that wait, to others when they poll next. Returns how many listen for it. */
  deliverShutdown(shutdownReason: ShutdownReason, deadlineMs: number): number {
    this.#shutdown = { eventType: "SHUTDOWN", shutdownReason, deadlineMs }
    this.#deliver("SHUTDOWN", this.#shutdown)
    return this.#door.state.extensions.filter(({ events }) => events.has("SHUTDOWN")).length
  }

  #deliver(kind: RuntimeProtocol.ExtensionEvent, event: unknown): void {
    for (const extension of this.#door.state.extensions) {
      const poll = extension.events.has(kind) ? this.#polls.get(extension.id) : undefined
      if (poll === undefined) continue
      this.#polls.delete(extension.id)
      Answers.json(poll, 200, event, ["Lambda-Extension-Event-Identifier", randomUUID()])
    }
  }

  #register(name: string, body: Uint8Array, request: IncomingMessage, response: ServerResponse): void {
    const door = this.#door
    const registration = decodeRegistration(new TextDecoder().decode(body))
    if (registration._tag === "None") {
      return Answers.refusal(response, forbidden("InvalidRequestFormat", "the body is not a JSON object with events"))
    }
    const id = randomUUID()
    const events = registration.value.events ?? []
    if (!door.agree(RuntimeProtocol.extensionRegisters(door.state, { id, name, events }), response)) return
    const { functionName, handler } = door.spec
    const wanted = String(request.headers["lambda-extension-accept-feature"] ?? "").split(",")
    const account = wanted.some((feature) => feature.trim() === "accountId")
      ? { accountId: door.settings.accountId }
      : {}
    const about = { functionName, functionVersion: "$LATEST", handler, ...account }
    Answers.json(response, 200, about, ["Lambda-Extension-Identifier", id])
  }

  /** The extension that speaks, by the identifier it was given. */
  #identify(request: IncomingMessage, response: ServerResponse): string | undefined {
    const id = request.headers["lambda-extension-identifier"]
    if (typeof id === "string" && uuid.test(id)) return id.toLowerCase()
    const known = id === undefined || id === ""
    const [kind, message] = known
      ? ["Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"]
      : ["Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"]
    Answers.refusal(response, forbidden(kind, message))
    return undefined
  }

  #read(request: IncomingMessage, response: ServerResponse, whole: (body: Uint8Array) => void): void {
    const { bodyLimitBytes, drainLimitBytes } = this.#door.settings
    const message = `Exceeded maximum allowed payload size (${bodyLimitBytes} bytes).`
    RequestBody.read(request, bodyLimitBytes, drainLimitBytes, {
      whole,
      tooLarge: () => undefined,
      drained: () =>
        Answers.refusal(response, { status: 413, errorType: "RequestEntityTooLarge", errorMessage: message }),
      // An extension that goes away in the middle of a sentence has said nothing.
      cut: () => undefined
    })
  }
}
