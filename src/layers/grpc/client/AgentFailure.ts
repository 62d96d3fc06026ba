/** What may become of a call to an Agent, and which of our failures that is. */
import { type ServiceError, status } from "@grpc/grpc-js"
import { Data, Option } from "effect"
import {
  type ArtifactNotFound,
  ContainerNotFound,
  type Failure,
  NotOwner,
  RuntimeUnavailable,
  type RuntimeUnsupported
} from "#domain/Failure"
import type { FunctionName } from "#domain/FunctionName"
import type { ContainerId } from "#domain/Worker"
import { failureIn } from "../Status.ts"

/** There is no connection to the Agent: nothing was sent. */
export class AgentUnreachable extends Data.TaggedError("AgentUnreachable")<{
  readonly address: string
  readonly detail: string
}> {
  override get message() {
    return `Agent ${this.address} cannot be reached: ${this.detail}`
  }
}

/** The call ended with a status, from the Agent or, when the connection broke or time ran out, from here: it may have arrived. */
export class AgentRefusal extends Data.TaggedError("AgentRefusal")<{
  readonly address: string
  readonly error: ServiceError
}> {
  override get message() {
    const { code, details } = this.error
    return `Agent ${this.address} did not do it: ${details} (${status[code] ?? code})`
  }
}

export type AgentFailure = AgentUnreachable | AgentRefusal

/** Codes of whoever did not get the call, or could not tell what became of it. Every other code is an answer. */
const silence: ReadonlySet<status> = new Set([status.UNAVAILABLE, status.DEADLINE_EXCEEDED])

/** Whether somebody at the other end is awake. */
export const isAnswer = (failure: AgentFailure): boolean =>
  failure._tag === "AgentRefusal" && (!silence.has(failure.error.code) || Option.isSome(failureIn(failure.error)))

const isOneOf = <Tag extends Failure["_tag"]>(
  failure: Failure,
  tags: ReadonlyArray<Tag>
): failure is Extract<Failure, { readonly _tag: Tag }> => tags.some((tag) => tag === failure._tag)

/** The failure that the Agent sent, when it is one of those that the method declares. */
export const declared = <Tag extends Failure["_tag"]>(
  failure: AgentFailure,
  ...tags: ReadonlyArray<Tag>
): Extract<Failure, { readonly _tag: Tag }> | undefined => {
  if (failure._tag === "AgentUnreachable") return undefined
  const sent = Option.getOrUndefined(failureIn(failure.error))
  return sent !== undefined && isOneOf(sent, tags) ? sent : undefined
}

/** Of a call that names no worker. */
export const ofEngine = (failure: AgentFailure): RuntimeUnavailable =>
  declared(failure, "RuntimeUnavailable") ?? new RuntimeUnavailable({ detail: failure.message, cause: failure })

/** Of a start. */
export const ofStart =
  (functionName: FunctionName) =>
  (failure: AgentFailure): RuntimeUnavailable | RuntimeUnsupported | ArtifactNotFound =>
    declared(failure, "RuntimeUnavailable", "RuntimeUnsupported", "ArtifactNotFound") ??
    new RuntimeUnavailable({ functionName, detail: failure.message, cause: failure })

/** Of a call that names a worker. An Agent that sends no failure is understood by its code. */
export const ofWorker =
  (containerId: ContainerId) =>
  (failure: AgentFailure): ContainerNotFound | NotOwner | RuntimeUnavailable => {
    const sent = declared(failure, "ContainerNotFound", "NotOwner", "RuntimeUnavailable")
    if (sent !== undefined) return sent
    const code = failure._tag === "AgentRefusal" ? failure.error.code : undefined
    if (code === status.NOT_FOUND) return new ContainerNotFound({ containerId })
    if (code === status.PERMISSION_DENIED) return new NotOwner({ containerId })
    return new RuntimeUnavailable({ detail: failure.message, cause: failure })
  }
