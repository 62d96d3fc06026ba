/**
 * The wire between containerd and a shim: requests and answers on a Unix socket, without HTTP, and their messages field by field.
 * @see https://github.com/containerd/ttrpc/blob/main/PROTOCOL.md
 */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire"
import { createServer, type Server, type Socket } from "node:net"

/** Of a message, by their numbers; a field that may be there several times has several values. */
export type Fields = ReadonlyMap<number, ReadonlyArray<number | Uint8Array>>

export const read = (bytes: Uint8Array): Fields => {
  const reader = new BinaryReader(bytes)
  const fields = new Map<number, Array<number | Uint8Array>>()
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    const values = fields.get(field) ?? []
    if (type === WireType.Varint) fields.set(field, [...values, Number(reader.uint64())])
    else if (type === WireType.LengthDelimited) fields.set(field, [...values, reader.bytes()])
    else reader.skip(type)
  }
  return fields
}

export const bytesOf = (fields: Fields, field: number): ReadonlyArray<Uint8Array> =>
  (fields.get(field) ?? []).filter((value) => typeof value !== "number")

export const textOf = (fields: Fields, field: number): string =>
  Buffer.from(bytesOf(fields, field)[0] ?? []).toString("utf8")

export const numberOf = (fields: Fields, field: number): number => Number(fields.get(field)?.[0] ?? 0)

/** Fields with nothing in them are left out, as everywhere. */
export const write = (fields: Readonly<Record<number, string | number | Uint8Array | undefined>>): Uint8Array => {
  const writer = new BinaryWriter()
  for (const [field, value] of Object.entries(fields)) {
    if (value === undefined || value === 0 || value === "") continue
    if (typeof value === "number") writer.tag(Number(field), WireType.Varint).uint64(value)
    else if (typeof value === "string") writer.tag(Number(field), WireType.LengthDelimited).string(value)
    else writer.tag(Number(field), WireType.LengthDelimited).bytes(value)
  }
  return writer.finish()
}

const headerLength = 10
const isRequest = 1
const isResponse = 2
const [unknown, unimplemented] = [2, 12]

/** What a method throws to refuse, with a code of gRPC's. */
export const refusal = (code: number, message: string): Error => Object.assign(new Error(message), { code })

const codeOf = (failure: unknown): number =>
  failure instanceof Error && "code" in failure && typeof failure.code === "number" ? failure.code : unknown

/** Of one service, by the name of the method. */
export type Methods = Readonly<Record<string, (request: Fields) => Uint8Array | Promise<Uint8Array>>>

const frame = (stream: number, payload: Uint8Array): Buffer => {
  const header = Buffer.alloc(headerLength)
  header.writeUInt32BE(payload.length, 0)
  header.writeUInt32BE(stream, 4)
  header.writeUInt8(isResponse, 8)
  return Buffer.concat([header, payload])
}

const answer = async (methods: Methods, payload: Uint8Array): Promise<Uint8Array> => {
  const request = read(payload)
  const name = textOf(request, 2)
  try {
    const method = methods[name]
    if (method === undefined) throw refusal(unimplemented, `a virtual machine has no ${name}`)
    return write({ 2: await method(read(bytesOf(request, 3)[0] ?? new Uint8Array())) })
  } catch (failure) {
    const message = failure instanceof Error ? failure.message : String(failure)
    return write({ 1: write({ 1: codeOf(failure), 2: message }) })
  }
}

const converse = (methods: Methods, socket: Socket): void => {
  let heard = Buffer.alloc(0)
  socket.on("error", () => socket.destroy())
  socket.on("data", (chunk) => {
    heard = Buffer.concat([heard, chunk])
    while (heard.length >= headerLength) {
      const end = headerLength + heard.readUInt32BE(0)
      if (heard.length < end) return
      const [stream, type] = [heard.readUInt32BE(4), heard.readUInt8(8)]
      const payload = heard.subarray(headerLength, end)
      heard = heard.subarray(end)
      if (type === isRequest) void answer(methods, payload).then((told) => socket.write(frame(stream, told)))
    }
  })
}

export const serve = (path: string, methods: Methods): Server =>
  createServer((socket) => converse(methods, socket)).listen(path)
