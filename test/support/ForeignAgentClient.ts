/**
 * A client of the Agent that shares nothing with us but `proto/agent.proto`: what grpc-js and proto-loader make of it, as
 * anybody's client in Node would be.
 */
import {
  type CallOptions,
  type ChannelCredentials,
  type ChannelOptions,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  loadPackageDefinition,
  type Metadata,
  type ServiceClientConstructor,
  type ServiceError
} from "@grpc/grpc-js"
import { loadSync, type PackageDefinition } from "@grpc/proto-loader"
import { Effect } from "effect"
import { connect as connectHttp2, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2"
import { fileURLToPath } from "node:url"

const protoDirectory = fileURLToPath(new URL("../../proto", import.meta.url))

const loadOptions = { keepCase: true, longs: Number, enums: String, defaults: true, includeDirs: [protoDirectory] }

/** The services of a .proto of the repository, or of any other by its absolute path. */
export const servicesOf = (file: string): PackageDefinition => loadSync(file, loadOptions)

/** The class that makes clients of a service. */
export const clientClass = (definition: PackageDefinition, service: string): ServiceClientConstructor => {
  let found: unknown = loadPackageDefinition(definition)
  for (const part of service.split(".")) found = (found as Record<string, unknown>)[part]
  return found as ServiceClientConstructor
}

export interface ClientOptions {
  readonly credentials?: ChannelCredentials
  readonly channel?: ChannelOptions
}

/** A client with a connection of its own, closed with the scope. */
export const connect = (clients: ServiceClientConstructor, port: number, options: ClientOptions = {}) =>
  Effect.acquireRelease(
    Effect.sync(
      () =>
        new clients(`127.0.0.1:${port}`, options.credentials ?? credentials.createInsecure(), {
          "grpc.use_local_subchannel_pool": 1,
          ...options.channel
        })
    ),
    (client) => Effect.sync(() => client.close())
  )

/** A message as proto-loader gives it: names as in the .proto, 64-bit numbers as numbers, bytes as a buffer. */
export type Message = Readonly<Record<string, unknown>>

type Unary = (
  request: Message,
  metadata: Metadata | CallOptions,
  answered: (error: ServiceError | null, answer: Message) => void
) => ClientUnaryCall

/** One call. Interrupting it cancels the call. */
export const call = (client: Client, method: string, request: Message, options: CallOptions = {}) =>
  Effect.callback<Message, ServiceError>((resume) => {
    const send = (client as unknown as Record<string, Unary>)[method]
    if (send === undefined) throw new Error(`the service has no ${method}`)
    const sent = send.call(client, request, options, (error, answer) =>
      resume(error === null ? Effect.succeed(answer) : Effect.fail(error))
    )
    return Effect.sync(() => sent.cancel())
  })

/** A stream of answers, as far as it has come. */
export interface Heard {
  readonly heard: ReadonlyArray<Message>
  /** The code with which it ended; `undefined`: it goes on. */
  readonly ended: number | undefined
}

/** A call with a stream of answers, taken back at the end of the scope. */
export const stream = (client: Client, method: string, request: Message) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() =>
        (client as unknown as Record<string, (request: Message) => ClientReadableStream<Message>>)[method]?.(request)
      ),
      (call) => Effect.sync(() => call?.cancel())
    ),
    (call): Heard => {
      const heard: Array<Message> = []
      const state = { heard, ended: undefined as number | undefined }
      call?.on("data", (message: Message) => heard.push(message))
      call?.on("status", ({ code }) => (state.ended = code))
      // What a stream ends with is in its status.
      call?.on("error", () => undefined)
      return state
    }
  )

type Bidi = () => ClientDuplexStream<Message, Message>

/** Says everything at once, and gives what was answered when the server has said its last. */
export const converse = (client: Client, method: string, messages: ReadonlyArray<Message>) =>
  Effect.callback<ReadonlyArray<Message>, ServiceError>((resume) => {
    const open = (client as unknown as Record<string, Bidi>)[method]
    if (open === undefined) throw new Error(`the service has no ${method}`)
    const conversation = open.call(client)
    const heard: Array<Message> = []
    conversation.on("data", (message: Message) => heard.push(message))
    conversation.on("error", (error: ServiceError) => resume(Effect.fail(error)))
    conversation.on("end", () => resume(Effect.succeed(heard)))
    for (const message of messages) conversation.write(message)
    conversation.end()
    return Effect.sync(() => conversation.cancel())
  })

/** How a call ends that is refused: its code and text. */
export const refusal = (client: Client, method: string, request: Message, options: CallOptions = {}) =>
  Effect.map(Effect.flip(call(client, method, request, options)), ({ code, details }) => ({ code, details }))

/** A request of a method as bytes, and the path they are sent to. */
export const encoded = ({ service }: ServiceClientConstructor, method: string, request: Message) => {
  const definition = service[method]
  if (definition === undefined) throw new Error(`the service has no ${method}`)
  return { path: definition.path, bytes: definition.requestSerialize(request) }
}

/** A message as gRPC sends it: not compressed, its length before it. */
export const framed = (message: Uint8Array): Buffer => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** What came back to a call that was sent by hand. */
export interface RawAnswer {
  /** Of the head and of the trailers together. */
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Sends bytes to a method, whatever they are, over a connection of its own. */
export const sendRaw = (port: number, path: string, bytes: Uint8Array, headers: OutgoingHttpHeaders = {}) =>
  Effect.callback<RawAnswer, Error>((resume) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    const fail = (error: Error): void => resume(Effect.fail(error))
    session.on("error", fail)
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers
    })
    const got: IncomingHttpHeaders = {}
    const body: Array<Buffer> = []
    stream.on("error", fail)
    stream.on("response", (head) => Object.assign(got, head))
    stream.on("trailers", (trailers) => Object.assign(got, trailers))
    stream.on("data", (chunk: Buffer) => body.push(chunk))
    stream.on("close", () => {
      session.close()
      resume(Effect.succeed({ headers: got, body: Buffer.concat(body) }))
    })
    stream.end(bytes)
    return Effect.sync(() => session.destroy())
  })

/** What names a worker, and whose it is. */
export const ofAWorker = [
  "DestroyContainer",
  "PauseContainer",
  "ResumeContainer",
  "GetContainerMetrics",
  "InvokeWorker"
] as const
