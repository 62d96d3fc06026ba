/**
 * An Agent by somebody else, who has read the same .proto: codes and no trailers, and no field that its version does not know.
 * A test writes its answers.
 */
import * as grpc from "@grpc/grpc-js"
import * as protoLoader from "@grpc/proto-loader"
import { Effect, type Scope } from "effect"
import { fileURLToPath } from "node:url"

export type Rpc =
  | "EnsureContainer"
  | "DestroyContainer"
  | "PauseContainer"
  | "ResumeContainer"
  | "ListContainers"
  | "GetContainerMetrics"
  | "InvokeWorker"

type Message = Readonly<Record<string, unknown>>

/** An answer, a refusal, nothing at all, or one that is given by `release`. */
export type Answer =
  | { readonly message: Message }
  | { readonly code: grpc.status; readonly details: string }
  | "silence"
  | "late"

export const answer = (message: Message = {}): Answer => ({ message })
export const refuse = (code: grpc.status, details = "because"): Answer => ({ code, details })

export interface ForeignAgent {
  readonly address: string
  readonly port: number
  /** What was asked, in order. */
  readonly calls: ReadonlyArray<{ readonly rpc: Rpc; readonly request: Message }>
  /** Calls that their caller gave up before they were answered. */
  readonly cancelled: ReadonlyArray<Rpc>
  /** Replaces what it answers from now on. */
  readonly says: (answers: Partial<Record<Rpc, Answer>>) => void
  /** Answers all calls whose answer is `late`. */
  readonly release: (message: Message) => void
}

const proto = fileURLToPath(new URL("../../proto/agent.proto", import.meta.url))
const { service } = (
  grpc.loadPackageDefinition(protoLoader.loadSync(proto, { longs: Number })) as unknown as {
    readonly esb: {
      readonly agent: { readonly v1: { readonly AgentService: { readonly service: grpc.ServiceDefinition } } }
    }
  }
).esb.agent.v1.AgentService

const unimplemented = refuse(grpc.status.UNIMPLEMENTED, "not here")

/** Serves until the scope ends, which takes every connection with it. */
export const make = Effect.fnUntraced(function* (
  first: Partial<Record<Rpc, Answer>> = {},
  at = 0
): Effect.fn.Return<ForeignAgent, never, Scope.Scope> {
  const calls: Array<{ rpc: Rpc; request: Message }> = []
  const cancelled: Array<Rpc> = []
  const late: Array<(message: Message) => void> = []
  let answers = first
  const server = new grpc.Server()
  const handle =
    (rpc: Rpc): grpc.handleUnaryCall<Message, Message> =>
    (call, respond) => {
      let isAnswered = false
      const done: typeof respond = (...given) => {
        isAnswered = true
        respond(...given)
      }
      calls.push({ rpc, request: call.request })
      // grpc-js says so of every call that is over.
      call.on("cancelled", () => {
        if (!isAnswered) cancelled.push(rpc)
      })
      const given = answers[rpc] ?? unimplemented
      if (given === "silence") return
      if (given === "late") late.push((message) => done(null, message))
      else if ("message" in given) done(null, given.message)
      else done(given)
    }
  server.addService(
    service,
    Object.fromEntries(Object.entries(service).map(([name, { path }]) => [name, handle(path.split("/").at(-1) as Rpc)]))
  )
  const bound = Effect.callback<number>((resume) =>
    server.bindAsync(`127.0.0.1:${at}`, grpc.ServerCredentials.createInsecure(), (error, port) =>
      resume(error === null ? Effect.succeed(port) : Effect.die(error))
    )
  )
  const port = yield* Effect.acquireRelease(bound, () => Effect.sync(() => server.forceShutdown()))
  return {
    address: `127.0.0.1:${port}`,
    port,
    calls,
    cancelled,
    says: (given) => void (answers = given),
    release: (message) => late.splice(0).forEach((answer) => answer(message))
  }
})
