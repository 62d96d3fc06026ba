import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as OutputCapture from "#layers/runtime-api/OutputCapture"

const roomy = { lineLimitBytes: 1_000, outputRate: { bytesPerSecond: 1_000_000, burstBytes: 1_000_000 } }

/** A capture, the lines it made, and a clock that a test turns. */
const capture = (settings: Parameters<typeof OutputCapture.make>[0] = roomy) => {
  const lines: Array<string> = []
  const clock = { ms: 0 }
  const output = OutputCapture.make(
    settings,
    (line) => lines.push(line),
    () => clock.ms
  )
  return { lines, clock, flush: output.flush, push: (text: string) => output.push(Buffer.from(text)) }
}

describe("the output of a worker", () => {
  it("is cut at newlines and nowhere else", () => {
    const { lines, push } = capture()
    push("one\ntw")
    push("o\r  more\n\nthree")
    assert.deepStrictEqual(lines, ["one", "two\r  more", ""])
  })

  it("gives up an unfinished line when it is told to, once", () => {
    const { flush, lines, push } = capture()
    push("unfinished")
    flush()
    flush()
    assert.deepStrictEqual(lines, ["unfinished"])
  })

  it("keeps a character whole that comes in two pieces", () => {
    const lines: Array<string> = []
    const output = OutputCapture.make(roomy, (line) => lines.push(line))
    const bytes = Buffer.from("schön\n")
    output.push(bytes.subarray(0, 4))
    output.push(bytes.subarray(4))
    assert.deepStrictEqual(lines, ["schön"])
  })

  it("cuts a line that is too long, and goes on with the next", () => {
    const { lines, push } = capture({ ...roomy, lineLimitBytes: 4 })
    push("abcd\nabc")
    push("defg")
    push("hij\nk\n")
    assert.deepStrictEqual(lines, ["abcd", "abcd [line cut after 4 bytes]", "k"])
  })

  it("drops what exceeds its rate, tells how much, and resumes at the start of a line", () => {
    const { clock, lines, push } = capture({ ...roomy, outputRate: { bytesPerSecond: 10, burstBytes: 20 } })
    push("twelve bytes\n")
    push("this is too much\nat once")
    clock.ms = 100
    push("still too early\n")
    clock.ms = 1_500
    push("rest\nback\n")
    assert.deepStrictEqual(lines, [
      "twelve bytes",
      "[esb] 40 bytes of output were dropped: more than 10 bytes per second",
      "back"
    ])
  })

  it("tells what was dropped at the end of a call at the latest", () => {
    const { flush, lines, push } = capture({ ...roomy, outputRate: { bytesPerSecond: 1, burstBytes: 1 } })
    push("too much\n")
    flush()
    flush()
    assert.deepStrictEqual(lines, ["[esb] 9 bytes of output were dropped: more than 1 bytes per second"])
  })

  it.effect.prop(
    "is the same lines however it is chopped",
    [Schema.Array(Schema.String), Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 }))],
    ([written, size]) =>
      Effect.sync(() => {
        const whole = written.map((line) => line.replaceAll(/[\n\ud800-\udfff]/g, " "))
        const bytes = Buffer.from(whole.map((line) => `${line}\n`).join(""))
        const lines: Array<string> = []
        const output = OutputCapture.make(roomy, (line) => lines.push(line))
        for (let at = 0; at < bytes.length; at += size) output.push(bytes.subarray(at, at + size))
        assert.deepStrictEqual(lines, whole)
      })
  )
})
