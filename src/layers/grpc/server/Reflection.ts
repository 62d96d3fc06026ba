/**
 * `grpc.reflection`: a server describes itself, for clients such as grpcurl that have no .proto.
 * @see https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
 */
import {
  createRegistry,
  type DescFile,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  type Registry,
  toBinary
} from "@bufbuild/protobuf"
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt"
import { status } from "@grpc/grpc-js"
import { Effect } from "effect"
import type { CallHandlers } from "./CallHandler.ts"
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema
} from "../generated/grpc/reflection/v1/reflection_pb.ts"
import { type Offer, offer } from "./GrpcServer.ts"

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>

/** What can be asked for. */
interface Described {
  readonly services: ReadonlyArray<DescService>
  readonly files: ReadonlyArray<DescFile>
  readonly symbols: Registry
}

const missing = (what: string): Answer => ({
  case: "errorResponse",
  value: { errorCode: status.NOT_FOUND, errorMessage: `${what} is not known here` }
})

/** A file, and before it all that it imports. */
const withImports = (file: DescFile): ReadonlyArray<DescFile> => [...file.dependencies.flatMap(withImports), file]

const described = (file: DescFile | undefined, what: string): Answer =>
  file === undefined
    ? missing(what)
    : {
        case: "fileDescriptorResponse",
        value: {
          fileDescriptorProto: [...new Set(withImports(file))].map(({ proto }) =>
            toBinary(FileDescriptorProtoSchema, proto)
          )
        }
      }

/** A symbol is a service, a message or an enumeration, or something inside of one. */
const fileOf = (symbols: Registry, symbol: string): DescFile | undefined =>
  (symbols.get(symbol) ?? symbols.get(symbol.slice(0, Math.max(0, symbol.lastIndexOf(".")))))?.file

const answerTo = (
  { messageRequest: question }: ServerReflectionRequest,
  { files, services, symbols }: Described
): Answer => {
  switch (question.case) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: services.map(({ typeName }) => ({ name: typeName })) } }
    case "fileByFilename":
      return described(
        files.find(({ proto }) => proto.name === question.value),
        question.value
      )
    case "fileContainingSymbol":
      return described(fileOf(symbols, question.value), question.value)
    // No message of ours has extensions.
    case "fileContainingExtension":
      return missing(`an extension of ${question.value.containingType}`)
    case "allExtensionNumbersOfType":
      return symbols.getMessage(question.value) === undefined
        ? missing(question.value)
        : { case: "allExtensionNumbersResponse", value: { baseTypeName: question.value, extensionNumber: [] } }
    case undefined:
      return { case: "errorResponse", value: { errorCode: status.INVALID_ARGUMENT, errorMessage: "nothing is asked" } }
  }
}

/** The same service under another name. */
const renamed = (service: DescService, typeName: string): DescService => {
  const methods: Array<DescMethod> = []
  const copy = { ...service, typeName, methods }
  for (const method of service.methods) methods.push({ ...method, parent: copy })
  return copy
}

/** Clients that are older than the service's last name ask for it under this one, with the same messages. */
const formerName = "grpc.reflection.v1alpha.ServerReflection"

/** Describes these services, and itself. */
export const offers = (others: ReadonlyArray<Offer>): ReadonlyArray<Offer> => {
  const services = [...others.map(({ service }) => service), ServerReflection]
  const files = [...new Set(services.flatMap(({ file }) => withImports(file)))]
  const everything = { services, files, symbols: createRegistry(...files) }
  const handlers: CallHandlers<typeof ServerReflection> = {
    serverReflectionInfo: (request) =>
      Effect.succeed({
        validHost: request.host,
        originalRequest: request,
        messageResponse: answerTo(request, everything)
      })
  }
  return [offer(ServerReflection, handlers), { service: renamed(ServerReflection, formerName), handlers }]
}
