import { assert, describe, it } from "@effect/vitest"
import { AnswerReader, type HttpAnswer } from "#layers/process/clients/node/HttpAnswer"

/** Feeds the bytes in pieces of this size. */
const read = (bytes: Buffer, size: number): HttpAnswer | undefined => {
  const reader = new AnswerReader()
  for (let at = 0; at < bytes.length; at += size) {
    const answer = reader.push(bytes.subarray(at, at + size))
    if (answer !== undefined) return answer
  }
  return undefined
}

const fixed = 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nLambda-Runtime-Client-Context: {"ü": 1}\r\n\r\ngrüße!'.replace(
  "Content-Length: 7",
  `Content-Length: ${Buffer.byteLength("grüße!")}`
)
const chunked =
  "HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\nA;name=value\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n"

describe("HttpAnswer", () => {
  it("is the same however the bytes were cut", () => {
    for (const size of [1, 2, 3, 7, 1000]) {
      const whole = read(Buffer.from(fixed), size)
      assert.deepStrictEqual([whole?.status, whole?.body.toString()], [200, "grüße!"], `in pieces of ${size}`)
      assert.strictEqual(whole?.headers.get("lambda-runtime-client-context"), '{"ü": 1}')
      const pieces = read(Buffer.from(chunked), size)
      assert.deepStrictEqual([pieces?.status, pieces?.body.toString()], [202, "abcd0123456789"], `in pieces of ${size}`)
    }
  })

  it("is not there before its last byte", () => {
    for (const text of [fixed, chunked]) assert.isUndefined(read(Buffer.from(text).subarray(0, -1), 5))
  })

  it("may have no body", () => {
    assert.strictEqual(read(Buffer.from("HTTP/1.1 204 No Content\r\n\r\n"), 1)?.body.length, 0)
    assert.strictEqual(read(Buffer.from("HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n"), 1)?.body.length, 0)
  })

  it("follows what is only informational", () => {
    assert.strictEqual(read(Buffer.from(`HTTP/1.1 100 Continue\r\n\r\n${fixed}`), 4)?.status, 200)
  })

  it("refuses what is not HTTP, has no end or no limit", () => {
    const broken = [
      "SSH-2.0-OpenSSH_9.6\r\n\r\n",
      "HTTP/1.1 200 OK\r\n\r\nuntil the connection closes",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n",
      `HTTP/1.1 200 OK\r\nX: ${"x".repeat(2 * 1024 * 1024)}`
    ]
    for (const text of broken) assert.throws(() => read(Buffer.from(text), 64 * 1024), Error)
  })
})
