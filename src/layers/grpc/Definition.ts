/** A service of a .proto as grpc-js wants it: paths, and the codecs of its messages. */
import {
  create,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageInitShape,
  toBinary
} from "@bufbuild/protobuf"
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js"

const asBuffer = ({ buffer, byteLength, byteOffset }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, byteLength)

/** One method. What it sends may be a message or the fields of one; what arrives is a message. */
export const ofMethod = (method: DescMethod): MethodDefinition<object, object> => {
  const { input, methodKind, name, output, parent } = method
  return {
    path: `/${parent.typeName}/${name}`,
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestSerialize: (fields) => asBuffer(toBinary(input, create(input, fields as MessageInitShape<typeof input>))),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: (fields) =>
      asBuffer(toBinary(output, create(output, fields as MessageInitShape<typeof output>))),
    responseDeserialize: (bytes) => fromBinary(output, bytes)
  }
}

/** By the names methods have in TypeScript: `ensureContainer`. */
export const ofService = (service: DescService): ServiceDefinition =>
  Object.fromEntries(service.methods.map((method) => [method.localName, ofMethod(method)]))
