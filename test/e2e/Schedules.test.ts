/** A function that the clock calls, in a stack whose clock runs ahead so that nobody has to wait for it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as MinuteAhead from "#test/support/MinuteAhead"
import { eventually } from "#test/support/Eventually"
import * as RoutedStack from "#test/support/RoutedStack"

/** Longer than a stack takes to start. Should a machine take longer, the minute after is waited for. */
const startsWithinMs = 4_000

/** What the function was told, call by call. */
const toldTo = (stack: RoutedStack.Running) =>
  Effect.map(stack.esb("logs", "--json", "--function", "told", "--since", "1d"), ({ stdout }) =>
    stdout.split("\n").flatMap((line) => {
      const record =
        line === "" ? undefined : (JSON.parse(line) as { readonly source: string; readonly message: string })
      if (record?.source !== "function") return []
      return [JSON.parse(record.message.slice(record.message.indexOf("{"))) as Readonly<Record<string, unknown>>]
    })
  )

describe("A schedule", () => {
  it.live(
    "calls its function on the minute, with its input or with AWS's event",
    () =>
      Effect.gen(function* () {
        const stack = yield* RoutedStack.make({
          sample: "schedules",
          environment: MinuteAhead.environment(startsWithinMs)
        })
        const told = yield* eventually("both are fired", toldTo(stack), (events) => events.length >= 2, 70_000)
        const [input, ...plain] = told.toSorted((left, right) => Object.keys(left).length - Object.keys(right).length)
        assert.deepStrictEqual(input, { from: "the clock" })
        assert.strictEqual(plain.length, 1)
        assert.deepInclude(plain[0], {
          "detail-type": "Scheduled Event",
          source: "aws.events",
          resources: ["arn:aws:events:us-east-1:000000000000:rule/told_sched_0"]
        })
        assert.match(String(plain[0]?.["time"]), /T\d\d:\d\d:00Z$/)
      }).pipe(Effect.scoped),
    90_000
  )
})
