/**
 * A wire to a containerd on which everything that is asked can be read. On its way a snapshotter gets the name of another one: what
 * is asked of one that a machine cannot have is seen, and done by one that it has.
 */
import { type DescMethod, type DescMethodUnary, fromBinary, type MessageShape } from "@bufbuild/protobuf"
import {
  Client,
  credentials,
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError
} from "@grpc/grpc-js"
import { Effect } from "effect"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { Containers } from "#layers/containerd/generated/containerd/containers_pb"
import { Content } from "#layers/containerd/generated/containerd/content_pb"
import { Diff } from "#layers/containerd/generated/containerd/diff_pb"
import { Events } from "#layers/containerd/generated/containerd/events_pb"
import { Images } from "#layers/containerd/generated/containerd/images_pb"
import { Introspection } from "#layers/containerd/generated/containerd/introspection_pb"
import { Leases } from "#layers/containerd/generated/containerd/leases_pb"
import { Snapshots } from "#layers/containerd/generated/containerd/snapshots_pb"
import { Tasks } from "#layers/containerd/generated/containerd/tasks_pb"
import { Version } from "#layers/containerd/generated/containerd/version_pb"

const services = [Containers, Content, Diff, Events, Images, Introspection, Leases, Snapshots, Tasks, Version]

/** Names of a snapshotter, as long as each other, so that messages need not be taken apart to change them. */
export interface Names {
  readonly here: string
  readonly there: string
}

export interface ContainerdWire {
  /** Of the end at which the snapshotter has the name that is wanted. */
  readonly socket: string
  /** What was asked of a method, in the order of it. */
  readonly asked: <M extends DescMethodUnary>(method: M) => ReadonlyArray<MessageShape<M["input"]>>
  /** What was answered. */
  readonly answered: <M extends DescMethodUnary>(method: M) => ReadonlyArray<MessageShape<M["output"]>>
}

const asIs = (bytes: Buffer): Buffer => bytes

const renamed = (bytes: Buffer, from: string, to: string): Buffer =>
  Buffer.from(bytes.toString("latin1").replaceAll(from, to), "latin1")

const pathOf = ({ name, parent }: DescMethod): string => `/${parent.typeName}/${name}`

/** What concerns containerd; the rest is the connection's own. */
const handedOn = (given: Metadata): Metadata => {
  const metadata = new Metadata()
  for (const key of ["containerd-namespace", "containerd-lease"]) {
    for (const value of given.get(key)) metadata.set(key, value)
  }
  return metadata
}

const refusal = ({ code, details }: ServiceError) => ({ code, details, metadata: new Metadata() })

/** It ends with the scope. */
export const make = Effect.fnUntraced(function* (
  containerd: { readonly socket: string; readonly directory: string },
  { here, there }: Names
) {
  const seen: Array<{ readonly path: string; readonly question: Buffer; readonly answer: Buffer }> = []
  const client = new Client(`unix://${containerd.socket}`, credentials.createInsecure())
  const asking = (bytes: Buffer): Buffer => renamed(bytes, here, there)
  const answering = (bytes: Buffer): Buffer => renamed(bytes, there, here)

  const unary =
    (path: string): handleUnaryCall<Buffer, Buffer> =>
    (call, done) => {
      const upstream = client.makeUnaryRequest(
        path,
        asking,
        answering,
        call.request,
        handedOn(call.metadata),
        (error, answer) => {
          if (error !== null || answer === undefined) return done(error === null ? null : refusal(error))
          seen.push({ path, question: call.request, answer })
          done(null, answer)
        }
      )
      call.on("cancelled", () => upstream.cancel())
    }

  const listening =
    (path: string): handleServerStreamingCall<Buffer, Buffer> =>
    (call) => {
      const upstream = client.makeServerStreamRequest(path, asking, answering, call.request, handedOn(call.metadata))
      upstream.on("data", (answer: Buffer) => call.write(answer))
      upstream.on("end", () => call.end())
      upstream.on("error", (error: ServiceError) => call.emit("error", refusal(error)))
      call.on("cancelled", () => upstream.cancel())
    }

  const conversing =
    (path: string): handleBidiStreamingCall<Buffer, Buffer> =>
    (call) => {
      const upstream = client.makeBidiStreamRequest(path, asking, answering, handedOn(call.metadata))
      call.on("data", (question: Buffer) => upstream.write(question))
      call.on("end", () => upstream.end())
      upstream.on("data", (answer: Buffer) => call.write(answer))
      upstream.on("end", () => call.end())
      upstream.on("error", (error: ServiceError) => call.emit("error", refusal(error)))
      call.on("cancelled", () => upstream.cancel())
    }

  const handlerOf = (method: DescMethod) => {
    const path = pathOf(method)
    if (method.methodKind === "unary") return unary(path)
    return method.methodKind === "server_streaming" ? listening(path) : conversing(path)
  }

  const socket = join(containerd.directory, "wire.sock")
  const server = new Server()
  for (const service of services) {
    const methods = service.methods.map((method) => {
      const requestStream = method.methodKind === "bidi_streaming"
      const responseStream = method.methodKind !== "unary"
      const bytes = {
        requestSerialize: asIs,
        requestDeserialize: asIs,
        responseSerialize: asIs,
        responseDeserialize: asIs
      }
      return [method.name, { path: pathOf(method), requestStream, responseStream, ...bytes }] as const
    })
    const handlers = service.methods.map((method) => [method.name, handlerOf(method)] as const)
    server.addService(Object.fromEntries(methods), Object.fromEntries(handlers))
  }
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.bindAsync(`unix://${socket}`, ServerCredentials.createInsecure(), (error) =>
        resume(error === null ? Effect.void : Effect.die(error))
      )
    }),
    () =>
      Effect.sync(() => {
        server.forceShutdown()
        client.close()
        rmSync(socket, { force: true })
      })
  )
  const of = (method: DescMethod) => seen.filter(({ path }) => path === pathOf(method))
  const asked = <M extends DescMethodUnary>(method: M) =>
    of(method).map(({ question }) => fromBinary<M["input"]>(method.input, question))
  const answered = <M extends DescMethodUnary>(method: M) =>
    of(method).map(({ answer }) => fromBinary<M["output"]>(method.output, answer))
  return { socket, asked, answered } satisfies ContainerdWire
})
