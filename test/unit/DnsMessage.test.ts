import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { decode, encode } from "dns-packet"
import * as OwnNames from "#domain/OwnNames"
import * as Message from "#layers/dns/Message"
import * as NameClient from "#test/support/NameClient"

const look = OwnNames.make([{ name: "gateway", isWildcard: false, address: "10.89.0.3" }])

const queryOf = (bytes: Buffer): Message.Query => {
  const read = Message.read(bytes)
  return read._tag === "Query" ? read.query : assert.fail(read._tag)
}

const bytesOf = (query: Message.Query): Buffer =>
  Message.ownAnswer(query, look(query.name), 30) ?? assert.fail("it is not known")

describe("messages of name servers", () => {
  it.prop(
    "are a query, declined or malformed, whatever becomes of them on their way",
    { places: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 70 }))), byte: Schema.Int },
    ({ byte, places }) => {
      const bytes = NameClient.query("photos.s3-storage", "A", { additionals: [NameClient.extended(1_232)] })
      for (const place of places) bytes[place % bytes.length] = byte & 255
      const read = Message.read(bytes)
      if (read._tag === "Declined") assert.strictEqual(read.answer.readUInt16BE(0), bytes.readUInt16BE(0))
      if (read._tag === "Query") assert.strictEqual(Message.failed(read.query).readUInt16BE(0), bytes.readUInt16BE(0))
    },
    { arbitrary: { runs: 2_000 } }
  )

  it("leave the wish to recurse and to check as they were, and give no more of the extensions than they know", () => {
    const query = queryOf(
      NameClient.query("gateway", "A", { flags: 0x0110, additionals: [NameClient.extended(900, { flags: 0xc001 })] })
    )
    const told = decode(bytesOf(query))
    assert.deepInclude(told, {
      flag_qr: true,
      flag_aa: true,
      flag_ra: true,
      flag_rd: true,
      flag_cd: true,
      flag_ad: false
    })
    assert.deepInclude(told.additionals?.[0], { type: "OPT", flags: 0x8000, udpPayloadSize: 1_232 })
    assert.isFalse(decode(bytesOf(queryOf(NameClient.query("gateway", "A", { flags: 0 })))).flag_rd)
  })

  it("fit into what the client takes, and say so where they do not", () => {
    const long = Message.withId(
      encode({
        type: "response",
        answers: [{ type: "TXT", name: "long.test", data: ["x".repeat(250), "y".repeat(250), "z".repeat(250)] }]
      }),
      7
    )
    const plain = queryOf(NameClient.query("long.test", "TXT"))
    const extended = queryOf(NameClient.query("long.test", "TXT", { additionals: [NameClient.extended(4_096)] }))
    assert.strictEqual(Message.fitted(extended, long), long)
    const cut = Message.fitted(plain, long)
    assert.isTrue(Message.isTruncated(cut))
    assert.deepInclude(decode(cut), { id: plain.bytes.readUInt16BE(0), answers: [] })
    assert.strictEqual(
      queryOf(NameClient.query("a", "A", { additionals: [NameClient.extended(100)] })).datagramBytes,
      512
    )
  })

  it("answer a query of theirs, and no other", () => {
    const sent = NameClient.query("Example.test", "A")
    const { question } = queryOf(sent)
    const answer = (changes: object) =>
      encode({
        type: "response",
        id: sent.readUInt16BE(0),
        questions: [{ name: "example.TEST", type: "A" }],
        ...changes
      })
    const isRight = (bytes: Buffer) => Message.isAnswerTo(sent, question, bytes)
    assert.isTrue(isRight(answer({})))
    assert.isTrue(isRight(answer({ questions: [] })))
    assert.isFalse(isRight(answer({ id: (sent.readUInt16BE(0) + 1) % 65_536 })))
    assert.isFalse(isRight(answer({ type: "query" })))
    assert.isFalse(isRight(answer({ questions: [{ name: "example.test", type: "AAAA" }] })))
    assert.isFalse(isRight(answer({ questions: [{ name: "evil.test", type: "A" }] })))
    assert.isFalse(isRight(Buffer.from("hello")))
  })
})
