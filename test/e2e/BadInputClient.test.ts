/** Requests that are not what they should be: each is refused by its documented name, and costs nobody else anything. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { eventually } from "#test/support/Eventually"
import * as RawSocket from "#test/support/RawSocket"
import * as Stack from "#test/support/Stack"

const mebibyte = 1_048_576
const largestRequest = 6 * mebibyte

/** JSON text of exactly so many bytes. */
const text = (bytes: number): string => JSON.stringify("x".repeat(bytes - 2))

/** Name, status and message of the SDK's exception. */
const refusal = (functionName: string, Payload: string | Uint8Array, more: Parameters<typeof Stack.invoke>[3] = {}) =>
  Effect.gen(function* () {
    const stack = yield* Stack.Running
    const { $metadata, message, name } = yield* Effect.flip(
      Stack.send(stack, { FunctionName: functionName, Payload, ...more })
    )
    return [name, $metadata.httpStatusCode, message] as const
  })

const tooLarge = (limitBytes: number): readonly [string, number | undefined, string] => [
  "RequestTooLargeException",
  413,
  `Request must be smaller than ${limitBytes} bytes for the InvokeFunction operation`
]

/** A request of the Invoke API as bytes. */
const request = (stack: Stack.Stack, functionName: string, headers: ReadonlyArray<string>, body: string): string =>
  [
    `POST ${Stack.invokePath(functionName)} HTTP/1.1`,
    "Host: localhost",
    `Authorization: Bearer ${stack.token}`,
    "Connection: close",
    ...headers,
    "",
    body
  ].join("\r\n")

it.layer(Stack.layer(), Stack.live)("A request", (it) => {
  it.effect("of 6 MiB is served", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const answer = yield* Stack.invoke(stack, "nothing", undefined, { Payload: text(largestRequest) })
      assert.deepStrictEqual([answer.functionError, answer.text], [undefined, "null"])
    })
  )

  it.effect("that is larger is refused so that the SDK reads why", () =>
    Effect.gen(function* () {
      for (const bytes of [largestRequest + 1, 7 * mebibyte, 40 * mebibyte]) {
        assert.deepStrictEqual(yield* refusal("nothing", text(bytes)), tooLarge(largestRequest))
      }
    })
  )

  it.effect("that does not say how large it is is refused when it turns out too large", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const piece = text(mebibyte)
      const chunks = Array.from({ length: 7 }, () => `${piece.length.toString(16)}\r\n${piece}\r\n`).join("")
      const answer = yield* RawSocket.exchange(
        stack.gateway,
        request(stack, "nothing", ["Transfer-Encoding: chunked"], `${chunks}0\r\n\r\n`)
      )
      assert.match(answer, /^HTTP\/1\.1 413 /)
      assert.match(answer, /\r\nx-amzn-errortype: RequestTooLargeException\r\n/i)
    })
  )

  it.effect("of an event of 1 MiB is accepted, of one byte more refused", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const event = { InvocationType: "Event" } as const
      const { status } = yield* Stack.invoke(stack, "nothing", undefined, { ...event, Payload: text(mebibyte) })
      assert.strictEqual(status, 202)
      assert.deepStrictEqual(yield* refusal("nothing", text(mebibyte + 1), event), tooLarge(mebibyte))
    })
  )

  it.effect.each(["{", '{"a":1,}', "hello", "{'a':1}", '"\u0001"', '{"a":1} x', "01", "NaN"])(
    "with the payload %j, which is no JSON, is refused and calls nobody",
    (Payload) =>
      Effect.gen(function* () {
        for (const InvocationType of ["RequestResponse", "Event"] as const) {
          const [name, status, message] = yield* refusal("nothing", Payload, { InvocationType })
          assert.deepStrictEqual([name, status], ["InvalidRequestContentException", 400])
          assert.match(message, /^Could not parse request body into json: Could not parse payload into json: /)
        }
      })
  )

  it.effect("with control characters in a header is none, and is told so", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      for (const character of ["\u0001", "\u0000", "\u007f", "\n evil: 1\n", "\r"]) {
        const file = join(stack.directory, "smuggled")
        const headers = [`X-Custom: a${character}b`, "Content-Length: 2"]
        const answer = yield* RawSocket.exchange(stack.gateway, request(stack, "nothing", headers, "{}"))
        assert.match(answer, /^HTTP\/1\.1 400 /, JSON.stringify(character))
        assert.isFalse(existsSync(file))
      }
    })
  )

  it.effect("with two lengths, or a length and chunks, is none", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      for (const headers of [
        ["Content-Length: 2", "Content-Length: 3"],
        ["Content-Length: 2", "Transfer-Encoding: chunked"],
        ["Content-Length: -1"],
        ["Content-Length: 2x"],
        ["Transfer-Encoding: chunked, identity"]
      ]) {
        const answer = yield* RawSocket.exchange(stack.gateway, request(stack, "nothing", headers, "{}"))
        assert.match(answer, /^HTTP\/1\.1 400 /, headers.join())
      }
    })
  )

  it.effect("with more than 16 KiB of headers is refused", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const headers = [`X-Custom: ${"x".repeat(20_000)}`, "Content-Length: 2"]
      const answer = yield* RawSocket.exchange(stack.gateway, request(stack, "nothing", headers, "{}"))
      assert.match(answer, /^HTTP\/1\.1 431 /)
    })
  )

  it.effect("that is no HTTP is told so", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      for (const bytes of ["hello\r\n\r\n", "\u0016\u0003\u0001\u0002\u0000\u0001\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"]) {
        assert.match(yield* RawSocket.exchange(stack.gateway, bytes), /^HTTP\/1\.1 400 /, JSON.stringify(bytes))
      }
    })
  )

  it.effect("for another host is refused: a page cannot make a browser call functions by a name of its own", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80"]) {
        const answer = yield* Stack.call(stack, "nothing", {}, { host })
        assert.deepStrictEqual([answer.status, answer.header("x-amzn-errortype")], [403, "AccessDeniedException"])
      }
      assert.strictEqual((yield* Stack.call(stack, "nothing", {}, { host: "lambda.localhost" })).status, 200)
    })
  )

  it.effect("after all of these is served as ever, and nothing is left of them", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const file = join(stack.directory, "last")
      yield* Stack.invoke(stack, "record", { file, id: "well" })
      assert.strictEqual(readFileSync(file, "utf8"), "well\n")
      for (const name of ["nothing", "record"]) {
        yield* eventually(`${name} is quiet`, Stack.pool(stack, name), ({ busy, waiting }) => busy + waiting === 0)
      }
    })
  )
})
