/** A name server for tests to be asked by those under test: what it knows is little, and it remembers who asked for what. */
import { decode, type DecodedPacket, encode, type Packet, RECURSION_AVAILABLE, TRUNCATED_RESPONSE } from "dns-packet"
import { Effect } from "effect"
import { createSocket } from "node:dgram"
import { type AddressInfo, createServer } from "node:net"

export const known = { name: "example.test", address: "192.0.2.7", longAddress: "2001:db8::7" }

/** Its text does not fit into a datagram. */
export const long = { name: "long.test", text: Array.from({ length: 40 }, (_, n) => `${n}`.padStart(80, "x")) }

export interface Asked {
  readonly by: "datagram" | "connection"
  readonly query: DecodedPacket
}

const codes = { NXDOMAIN: 3, SERVFAIL: 2 }
const longestDatagram = 512

const answered = (query: DecodedPacket, isWilling: boolean): Packet => {
  const [question] = query.questions ?? []
  const of = (found: Pick<Packet, "answers">, result = 0): Packet => ({
    ...found,
    type: "response",
    id: query.id,
    flags: RECURSION_AVAILABLE | result,
    questions: query.questions,
    additionals: query.additionals
  })
  if (!isWilling) return of({}, codes.SERVFAIL)
  const name = question?.name.toLowerCase()
  if (question === undefined || (name !== known.name && name !== long.name)) return of({}, codes.NXDOMAIN)
  const { type } = question
  const record = { name: question.name, ttl: 60 }
  if (name === long.name) return of({ answers: type === "TXT" ? [{ ...record, type, data: [...long.text] }] : [] })
  if (type === "A") return of({ answers: [{ ...record, type, data: known.address }] })
  return of({ answers: type === "AAAA" ? [{ ...record, type, data: known.longAddress }] : [] })
}

const framed = (message: Buffer): Buffer => {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

export type Behaviour = "answers" | "is unwilling" | "is silent"

/** Until the scope ends, at a port of the system's choice. */
export const make = Effect.fnUntraced(function* (behaviour: Behaviour = "answers", address = "127.0.0.1") {
  const asked: Array<Asked> = []
  const respond = (bytes: Buffer, by: Asked["by"]): Buffer | undefined => {
    const query = decode(bytes)
    asked.push({ by, query })
    if (behaviour === "is silent") return undefined
    const answer = encode(answered(query, behaviour === "answers"))
    if (by === "connection" || answer.length <= longestDatagram) return answer
    const cut: Packet = { type: "response", id: query.id, flags: RECURSION_AVAILABLE | TRUNCATED_RESPONSE }
    return encode({ ...cut, questions: query.questions })
  }

  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const made = createServer((socket) => {
        socket.on("error", () => undefined)
        socket.on("data", (chunk) => {
          const answer = respond(chunk.subarray(2), "connection")
          if (answer !== undefined) socket.write(framed(answer))
        })
      }).listen(0, address, () => resume(Effect.succeed(made)))
    }),
    (made) => Effect.sync(() => made.close())
  )
  const { port } = server.address() as AddressInfo
  yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createSocket>>((resume) => {
      const made = createSocket("udp4")
      made.on("message", (bytes, from) => {
        const answer = respond(bytes, "datagram")
        if (answer !== undefined) made.send(answer, from.port, from.address)
      })
      made.bind(port, address, () => resume(Effect.succeed(made)))
    }),
    (made) => Effect.sync(() => made.close())
  )
  return { address, port, asked: asked as ReadonlyArray<Asked> }
})
