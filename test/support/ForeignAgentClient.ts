/**
 * A client of the Agent that shares nothing with us but `proto/agent.proto`: what grpc-js and proto-loader make of it, as
 * anybody's client in Node would be.
 */
import {
  type CallOptions,
  type ChannelCredentials,
  type ChannelOptions,
  type Client,
  type ClientUnaryCall,
  credentials,
  loadPackageDefinition,
  type Metadata,
  type ServiceClientConstructor,
  type ServiceError
} from "@grpc/grpc-js"
import { loadSync, type PackageDefinition } from "@grpc/proto-loader"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"

const protoDirectory = fileURLToPath(new URL("../../proto", import.meta.url))

const loadOptions = { keepCase: true, longs: Number, defaults: true, includeDirs: [protoDirectory] }

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

/** How a call ends that is refused: its code and text. */
export const refusal = (client: Client, method: string, request: Message, options: CallOptions = {}) =>
  Effect.map(Effect.flip(call(client, method, request, options)), ({ code, details }) => ({ code, details }))
