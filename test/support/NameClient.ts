/** Asks name servers byte by byte, for what no resolver shows. */
import {
  type Answer,
  decode,
  type DecodedPacket,
  encode,
  type Packet,
  type RecordType,
  RECURSION_DESIRED
} from "dns-packet"
import { Effect, Option } from "effect"
import { createSocket } from "node:dgram"
import { connect } from "node:net"
import { randomInt } from "node:crypto"

export interface Server {
  readonly address: string
  readonly port: number
}

/** The package tells it, its types do not. */
export interface Told extends DecodedPacket {
  readonly rcode: string
}

const patienceMs = 8_000
const lengthBytes = 2

export const query = (name: string, type: RecordType, more: Partial<Packet> = {}): Buffer =>
  encode({ type: "query", id: randomInt(65_536), flags: RECURSION_DESIRED, questions: [{ name, type }], ...more })

/** In words. */
export const read = (bytes: Buffer): Told => decode(bytes) as Told

/** The answer to some bytes; none, where there is none in time. */
export const byDatagram = ({ address, port }: Server, bytes: Buffer, withinMs = patienceMs) =>
  Effect.callback<Buffer, "refused">((resume) => {
    const socket = createSocket("udp4")
    const close = (): void => {
      socket.removeAllListeners().close()
    }
    socket.on("message", (answer) => {
      close()
      resume(Effect.succeed(answer))
    })
    socket.on("error", () => {
      close()
      resume(Effect.fail("refused"))
    })
    socket.connect(port, address, () => socket.send(bytes))
    return Effect.sync(close)
  }).pipe(
    Effect.timeoutOption(withinMs),
    Effect.orElseSucceed(() => Option.none<Buffer>())
  )

export const framed = (bytes: Buffer): Buffer => {
  const length = Buffer.alloc(lengthBytes)
  length.writeUInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** Sends all at once; the answers that came before the server hung up, or until there are as many as `expected`. */
export const byConnection = ({ address, port }: Server, sent: Buffer, expected = 1) =>
  Effect.callback<ReadonlyArray<Buffer>>((resume) => {
    const socket = connect({ host: address, port })
    let pending = Buffer.alloc(0)
    const answers: Array<Buffer> = []
    const end = (): void => {
      socket.destroy()
      resume(Effect.succeed(answers))
    }
    socket.setTimeout(patienceMs, end)
    socket.on("error", end).on("close", end)
    socket.on("data", (chunk) => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= lengthBytes && pending.length >= lengthBytes + pending.readUInt16BE(0)) {
        const length = lengthBytes + pending.readUInt16BE(0)
        answers.push(pending.subarray(lengthBytes, length))
        pending = pending.subarray(length)
      }
      if (answers.length >= expected) end()
    })
    socket.write(sent)
    return Effect.sync(() => socket.destroy())
  })

/** What a server says of a name, in words. */
export const ask = (server: Server, name: string, type: RecordType, more?: Partial<Packet>) =>
  Effect.map(byDatagram(server, query(name, type, more)), (answer) => Option.getOrUndefined(Option.map(answer, read)))

/** What a message says of itself beyond what all understand. */
export const extended = (udpPayloadSize: number, { ednsVersion = 0, flags = 0 } = {}): Answer => ({
  type: "OPT",
  name: ".",
  udpPayloadSize,
  ednsVersion,
  flags,
  extendedRcode: 0,
  flag_do: false,
  options: []
})

/** The data of all answers. */
export const dataOf = (told: Told | undefined): ReadonlyArray<unknown> =>
  (told?.answers ?? []).map((answer) => ("data" in answer ? answer.data : undefined))
