/** Calls of an Agent whose workers are values, by a client that knows only the .proto. */
import { type Client, type ServiceError, status } from "@grpc/grpc-js"
import { Effect, Option } from "effect"
import type { Scope } from "effect"
import type { Failure } from "#domain/Failure"
import { AgentServer } from "#layers/grpc/server/AgentServer"
import type { OwnerLeases } from "#layers/grpc/OwnerLeases"
import * as Status from "#layers/grpc/Status"
import type { MemoryWorkers } from "#layers/memory/MemoryWorkers"
import * as Foreign from "./ForeignAgentClient.ts"
import * as MemoryAgent from "./MemoryAgent.ts"

export const Agents = Foreign.clientClass(Foreign.servicesOf("agent.proto"), "esb.agent.v1.AgentService")

/** How a call ended that should not have ended well. */
type Answered = Foreign.Message

export interface Refusal {
  readonly code: number
  readonly details: string
}

export const invalid = (details: string): Refusal => ({ code: status.INVALID_ARGUMENT, details })

export interface Room {
  readonly port: number
  readonly client: Client
  readonly lines: ReadonlyArray<MemoryAgent.Line>
  readonly call: (method: string, request: Foreign.Message) => Effect.Effect<Foreign.Message, ServiceError>
  /** The code and the text of a call that is refused. */
  readonly refusal: (method: string, request: Foreign.Message) => Effect.Effect<Refusal, Answered>
  /** The failure that came with it; `undefined` when none did. */
  readonly failure: (method: string, request: Foreign.Message) => Effect.Effect<Failure | undefined, Answered>
  /** Starts a worker of the owner `mine`, and gives its id. */
  readonly start: (functionName: string) => Effect.Effect<string, ServiceError>
}

export type Test = (room: Room) => Effect.Effect<void, unknown, AgentServer | MemoryWorkers | OwnerLeases | Scope.Scope>

/** The test, with an Agent of its own. */
export const using = (options: MemoryAgent.MemoryAgentOptions, test: Test) => {
  const { layer, lines } = MemoryAgent.make(options)
  return Effect.gen(function* () {
    const { port } = yield* AgentServer
    const client = yield* Foreign.connect(Agents, port)
    const call: Room["call"] = (method, request) => Foreign.call(client, method, request)
    yield* test({
      port,
      client,
      lines,
      call,
      refusal: (method, request) => Foreign.refusal(client, method, request),
      failure: (method, request) =>
        Effect.map(Effect.flip(call(method, request)), (error) => Option.getOrUndefined(Status.failureIn(error))),
      start: (functionName) =>
        Effect.map(
          call("EnsureContainer", { function_name: functionName, owner_id: "mine", image: "an-image" }),
          ({ id }) => String(id)
        )
    })
  }).pipe(Effect.provide(layer))
}
