import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Schedule from "#domain/Schedule"

const at = (iso: string) => Date.parse(iso)

const parsed = (expression: string): Schedule.Schedule => {
  const result = Schedule.parse(expression)
  assert(Result.isSuccess(result), `${expression} is refused`)
  return result.success
}

const refusal = (expression: string): Schedule.ScheduleInvalid => {
  const result = Schedule.parse(expression)
  assert(Result.isFailure(result), `${expression} is accepted`)
  return result.failure
}

/** The next `count` firings after an instant, as ISO text without seconds. */
const firings = (expression: string, after: string, count: number): ReadonlyArray<string> => {
  const schedule = parsed(expression)
  const found: Array<string> = []
  let from: number | undefined = at(after)
  while (found.length < count) {
    from = Schedule.next(schedule, from)
    if (from === undefined) {
      break
    }
    found.push(new Date(from).toISOString().slice(0, 16))
  }
  return found
}

describe("rate", () => {
  const units: ReadonlyArray<readonly [string, number]> = [
    ["rate(1 minute)", 60_000],
    ["rate(5 minutes)", 300_000],
    ["rate(1 hour)", 3_600_000],
    ["rate(12 hours)", 43_200_000],
    ["rate(1 day)", 86_400_000],
    ["rate(7 days)", 604_800_000]
  ]
  for (const [expression, periodMs] of units) {
    it(`${expression} fires every ${periodMs} ms, counted from the given instant`, () => {
      assert.deepStrictEqual(parsed(expression), { _tag: "Rate", periodMs })
      assert.strictEqual(Schedule.next(parsed(expression), 1_234_567), 1_234_567 + periodMs)
    })
  }

  const bad: ReadonlyArray<readonly [string, RegExp]> = [
    ["rate(1 minutes)", /write 1 minute/],
    ["rate(5 minute)", /write 5 minutes/],
    ["rate(0 minutes)", /at least 1/],
    ["rate(-1 minutes)", /whole number/],
    ["rate(1.5 hours)", /whole number/],
    ["rate(5 seconds)", /minute, minutes, hour/],
    ["rate(5 weeks)", /minute, minutes, hour/],
    ["rate(minute)", /whole number/],
    ["rate()", /whole number/],
    ["rate(9999999999 days)", /whole number/]
  ]
  for (const [expression, reason] of bad) {
    it(`${expression} is refused with a reason that helps`, () => {
      const failure = refusal(expression)
      assert.strictEqual(failure.field, "rate")
      assert.match(failure.message, reason)
    })
  }

  it("anything but rate and cron is refused with an example of each", () => {
    for (const expression of [
      "",
      "5 minutes",
      "every(5 minutes)",
      "at(2030-01-01T00:00:00)",
      "rate(5 minutes",
      "Rate(5 minutes)"
    ]) {
      const failure = refusal(expression)
      assert.strictEqual(failure.field, "expression")
      assert.match(failure.message, /rate\(5 minutes\) or cron\(/)
    }
  })
})

describe("cron", () => {
  const calendar: ReadonlyArray<
    readonly [title: string, expression: string, after: string, expected: ReadonlyArray<string>]
  > = [
    ["every minute", "cron(* * * * ? *)", "2026-03-01T10:00:00Z", ["2026-03-01T10:01", "2026-03-01T10:02"]],
    ["noon of every day", "cron(0 12 * * ? *)", "2026-03-01T12:00:00Z", ["2026-03-02T12:00", "2026-03-03T12:00"]],
    [
      "fifteen minutes after noon UTC, AWS's own example",
      "cron(15 12 * * ? *)",
      "2026-12-31T13:00:00Z",
      ["2027-01-01T12:15"]
    ],
    ["steps from a start", "cron(0/15 * * * ? *)", "2026-03-01T10:31:00Z", ["2026-03-01T10:45", "2026-03-01T11:00"]],
    ["steps of everything", "cron(*/20 * * * ? *)", "2026-03-01T10:21:00Z", ["2026-03-01T10:40", "2026-03-01T11:00"]],
    ["steps that start late", "cron(1/10 * * * ? *)", "2026-03-01T10:45:00Z", ["2026-03-01T10:51", "2026-03-01T11:01"]],
    [
      "steps within a range",
      "cron(0 8-18/5 * * ? *)",
      "2026-03-01T00:00:00Z",
      ["2026-03-01T08:00", "2026-03-01T13:00", "2026-03-01T18:00", "2026-03-02T08:00"]
    ],
    ["lists in any order", "cron(30,0 9 * * ? *)", "2026-03-01T00:00:00Z", ["2026-03-01T09:00", "2026-03-01T09:30"]],
    ["weekdays by name", "cron(0 18 ? * MON-FRI *)", "2026-03-06T18:00:00Z", ["2026-03-09T18:00"]],
    [
      "weekdays by number, 1 is Sunday",
      "cron(0 0 ? * 1,7 *)",
      "2026-03-06T00:00:00Z",
      ["2026-03-07T00:00", "2026-03-08T00:00", "2026-03-14T00:00"]
    ],
    ["names in lower case", "cron(0 0 ? jan mon *)", "2026-02-01T00:00:00Z", ["2027-01-04T00:00"]],
    [
      "hours that pass midnight",
      "cron(0 22-1 * * ? *)",
      "2026-03-01T21:00:00Z",
      ["2026-03-01T22:00", "2026-03-01T23:00", "2026-03-02T00:00", "2026-03-02T01:00", "2026-03-02T22:00"]
    ],
    [
      "weekdays that pass Saturday",
      "cron(0 0 ? * FRI-MON *)",
      "2026-03-05T00:00:00Z",
      ["2026-03-06T00:00", "2026-03-07T00:00", "2026-03-08T00:00", "2026-03-09T00:00", "2026-03-13T00:00"]
    ],
    [
      "the 31st skips short months",
      "cron(0 0 31 * ? *)",
      "2026-01-31T00:00:00Z",
      ["2026-03-31T00:00", "2026-05-31T00:00"]
    ],
    [
      "29 February waits for a leap year",
      "cron(0 0 29 2 ? *)",
      "2026-01-01T00:00:00Z",
      ["2028-02-29T00:00", "2032-02-29T00:00"]
    ],
    ["2100 is not a leap year", "cron(0 0 29 FEB ? *)", "2096-03-01T00:00:00Z", ["2104-02-29T00:00"]],
    [
      "the last day of the month",
      "cron(0 0 L * ? *)",
      "2028-01-31T00:00:00Z",
      ["2028-02-29T00:00", "2028-03-31T00:00", "2028-04-30T00:00"]
    ],
    ["the last day of February of a common year", "cron(0 0 L 2 ? *)", "2026-01-01T00:00:00Z", ["2026-02-28T00:00"]],
    // 31 January 2026 is a Saturday, 28 February a Saturday, 31 May a Sunday
    [
      "the last workday of the month",
      "cron(0 0 LW * ? *)",
      "2026-01-01T00:00:00Z",
      ["2026-01-30T00:00", "2026-02-27T00:00", "2026-03-31T00:00", "2026-04-30T00:00", "2026-05-29T00:00"]
    ],
    // 15 February 2026 is a Sunday, 15 August a Saturday
    ["15W after a Sunday", "cron(0 0 15W 2 ? *)", "2026-01-01T00:00:00Z", ["2026-02-16T00:00"]],
    ["15W before a Saturday", "cron(0 0 15W 8 ? *)", "2026-01-01T00:00:00Z", ["2026-08-14T00:00"]],
    ["15W on a workday", "cron(0 0 15W 7 ? *)", "2026-01-01T00:00:00Z", ["2026-07-15T00:00"]],
    // 1 August 2026 is a Saturday: the nearest workday of the same month is the 3rd
    ["1W stays in its month", "cron(0 0 1W 8 ? *)", "2026-01-01T00:00:00Z", ["2026-08-03T00:00"]],
    ["31W stays in its month", "cron(0 0 31W 5 ? *)", "2026-01-01T00:00:00Z", ["2026-05-29T00:00"]],
    ["31W skips months without a 31st", "cron(0 0 31W * ? *)", "2026-03-31T00:00:00Z", ["2026-05-29T00:00"]],
    ["the third Friday", "cron(0 9 ? * 6#3 *)", "2026-03-01T00:00:00Z", ["2026-03-20T09:00", "2026-04-17T09:00"]],
    ["the second Tuesday, by name", "cron(0 9 ? * TUE#2 *)", "2026-03-01T00:00:00Z", ["2026-03-10T09:00"]],
    [
      "a fifth Sunday only where there is one",
      "cron(0 0 ? * 1#5 *)",
      "2026-03-01T00:00:00Z",
      ["2026-03-29T00:00", "2026-05-31T00:00"]
    ],
    ["the last Friday", "cron(15 10 ? * 6L *)", "2026-03-01T00:00:00Z", ["2026-03-27T10:15", "2026-04-24T10:15"]],
    ["L alone is Saturday", "cron(0 0 ? * L *)", "2026-03-01T00:00:00Z", ["2026-03-07T00:00"]],
    [
      "a range of years, AWS's own example",
      "cron(15 10 ? * 6L 2027-2028)",
      "2028-12-01T00:00:00Z",
      ["2028-12-29T10:15"]
    ],
    ["one instant", "cron(30 8 4 7 ? 2027)", "2026-01-01T00:00:00Z", ["2027-07-04T08:30"]],
    ["seconds do not count", "cron(0 12 * * ? *)", "2026-03-01T11:59:59.999Z", ["2026-03-01T12:00"]],
    ["a day that has begun", "cron(5 0 ? * SUN *)", "2026-03-01T00:04:30Z", ["2026-03-01T00:05", "2026-03-08T00:05"]],
    ["before the first year", "cron(0 0 1 1 ? *)", "1960-01-01T00:00:00Z", ["1970-01-01T00:00"]],
    ["the last firing of all", "cron(59 23 31 12 ? 2199)", "2026-01-01T00:00:00Z", ["2199-12-31T23:59"]],
    ["a year that is over", "cron(0 0 1 1 ? 2020)", "2026-01-01T00:00:00Z", []],
    ["a date that does not exist", "cron(0 0 30 2 ? *)", "2026-01-01T00:00:00Z", []],
    ["after the last year", "cron(* * * * ? *)", "2199-12-31T23:59:00Z", []]
  ]
  for (const [title, expression, after, expected] of calendar) {
    it(`${expression} is ${title}`, () => {
      assert.deepStrictEqual(firings(expression, after, Math.max(expected.length, 1)), expected)
    })
  }

  const bad: ReadonlyArray<readonly [expression: string, field: string, reason: RegExp]> = [
    ["cron(0 12 * * ?)", "fields", /six are needed/],
    ["cron(0 12 * * ? * *)", "fields", /six are needed/],
    ["cron()", "fields", /six are needed/],
    ["cron(60 12 * * ? *)", "minutes", /"60" is not 0-59/],
    ["cron(-1 12 * * ? *)", "minutes", /"" is not 0-59/],
    ["cron(0 24 * * ? *)", "hours", /"24" is not 0-23/],
    ["cron(0 noon * * ? *)", "hours", /"noon"/],
    ["cron(0 0 32 * ? *)", "day-of-month", /"32" is not 1-31/],
    ["cron(0 0 0 * ? *)", "day-of-month", /"0" is not 1-31/],
    ["cron(0 0 32W * ? *)", "day-of-month", /"32"/],
    ["cron(0 0 W * ? *)", "day-of-month", /""/],
    ["cron(0 0 1,15W * ? *)", "day-of-month", /"1,15"/],
    ["cron(0 0 1 13 ? *)", "month", /"13" is not 1-12 or JAN-DEC/],
    ["cron(0 0 1 JANUARY ? *)", "month", /"JANUARY"/],
    ["cron(0 0 ? * 8 *)", "day-of-week", /"8" is not 1-7 or SUN-SAT/],
    ["cron(0 0 ? * 0 *)", "day-of-week", /"0"/],
    ["cron(0 0 ? * 6#6 *)", "day-of-week", /1-5 after it/],
    ["cron(0 0 ? * 6#0 *)", "day-of-week", /1-5 after it/],
    ["cron(0 0 ? * 3#1,6#3 *)", "day-of-week", /one weekday before "#"/],
    ["cron(0 0 ? * 8#1 *)", "day-of-week", /"8"/],
    ["cron(0 0 * * * *)", "day-of-week", /exactly one of/],
    ["cron(0 0 1 * MON *)", "day-of-week", /exactly one of/],
    ["cron(0 0 ? * ? *)", "day-of-week", /exactly one of/],
    ["cron(0 0 1 * ? 1969)", "year", /"1969" is not 1970-2199/],
    ["cron(0 0 1 * ? 2200)", "year", /"2200"/],
    ["cron(0 0 1 * ? 2030-2026)", "year", /ends before it begins/],
    ["cron(0/0 * * * ? *)", "minutes", /above 0/],
    ["cron(0/x * * * ? *)", "minutes", /above 0/],
    ["cron(/5 * * * ? *)", "minutes", /""/],
    ["cron(1/2/3 * * * ? *)", "minutes", /more than one "\/"/],
    ["cron(1-2-3 * * * ? *)", "minutes", /more than one "-"/],
    ["cron(1, * * * ? *)", "minutes", /""/],
    ["cron(? * * * ? *)", "minutes", /"\?"/]
  ]
  for (const [expression, field, reason] of bad) {
    it(`${expression} is refused and names ${field}`, () => {
      const failure = refusal(expression)
      assert.strictEqual(failure.field, field)
      assert.match(failure.message, reason)
      assert.match(
        failure.message,
        new RegExp(`^${expression.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")} is not a schedule`)
      )
    })
  }
})

describe("cron against counting every minute", () => {
  const Numbers = (min: number, max: number) =>
    Schema.NonEmptyArray(Schema.Int.check(Schema.isBetween({ minimum: min, maximum: max })))
  const Expression = Schema.Struct({
    minutes: Numbers(0, 59),
    hours: Numbers(0, 23),
    weekdays: Numbers(1, 7),
    startDay: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40_000 })),
    startMinute: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_439 }))
  })

  it.prop(
    "the next firing is the first minute that matches all fields",
    { given: Expression },
    ({ given }) => {
      const afterMs = given.startDay * 86_400_000 + given.startMinute * 60_000
      const schedule = parsed(
        `cron(${given.minutes.join(",")} ${given.hours.join(",")} ? * ${given.weekdays.join(",")} *)`
      )
      let minute = afterMs + 60_000
      const matches = (ms: number) => {
        const date = new Date(ms)
        return (
          given.minutes.includes(date.getUTCMinutes()) &&
          given.hours.includes(date.getUTCHours()) &&
          given.weekdays.includes(date.getUTCDay() + 1)
        )
      }
      while (!matches(minute)) {
        minute += 60_000
      }
      assert.strictEqual(Schedule.next(schedule, afterMs), minute)
    },
    { arbitrary: { runs: 40 } }
  )
})
