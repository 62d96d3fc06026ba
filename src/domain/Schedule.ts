/**
 * When a function is called by the clock: `rate(5 minutes)` or `cron(0 12 * * ? *)`, always in UTC.
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
 */
import { Result, Schema } from "effect"
import * as Cron from "./Cron.ts"

export type Schedule =
  | { readonly _tag: "Rate"; readonly periodMs: number }
  | { readonly _tag: "Cron"; readonly cron: Cron.Cron }

/** The expression is neither; the message says which part of it is wrong. */
export class ScheduleInvalid extends Schema.TaggedError<ScheduleInvalid>()("ScheduleInvalid", {
  expression: Schema.String,
  /** `minutes`, `day-of-week`, `rate` … */
  field: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.expression} is not a schedule expression: ${this.detail}`
  }
}

const unitMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

/** As AWS reads it: one is singular (`1 minute`), more is plural (`5 minutes`), and exactly one of a cron's two day fields is `?`. */
export const parse = (expression: string): Result.Result<Schedule, ScheduleInvalid> => {
  const [, kind, inner] = /^(rate|cron)\((.*)\)$/.exec(expression) ?? []
  if (kind === undefined || inner === undefined) {
    return invalid(expression, "expression", "write rate(5 minutes) or cron(0 12 * * ? *)")
  }
  if (kind === "rate") {
    return parseRate(expression, inner)
  }
  const cron = Cron.parse(inner)
  return Result.isSuccess(cron)
    ? Result.succeed({ _tag: "Cron", cron: cron.success })
    : invalid(expression, cron.failure.field, cron.failure.message)
}

/** A rate fires one period after the instant it is counted from; `undefined` when a cron never fires again. */
export const next = (schedule: Schedule, afterUnixMs: number): number | undefined =>
  schedule._tag === "Rate" ? afterUnixMs + schedule.periodMs : Cron.next(schedule.cron, afterUnixMs)

const parseRate = (expression: string, inner: string): Result.Result<Schedule, ScheduleInvalid> => {
  const [, digits, unit, plural] = /^(\d{1,9})\s+(minute|hour|day)(s?)$/.exec(inner) ?? []
  if (digits === undefined || (unit !== "minute" && unit !== "hour" && unit !== "day")) {
    return invalid(expression, "rate", "a rate is a whole number and minute, minutes, hour, hours, day or days")
  }
  const count = Number(digits)
  if (count < 1) {
    return invalid(expression, "rate", "a rate is at least 1")
  }
  if ((count === 1) !== (plural === "")) {
    return invalid(expression, "rate", `write ${count} ${count === 1 ? unit : `${unit}s`}`)
  }
  return Result.succeed({ _tag: "Rate", periodMs: count * unitMs[unit] })
}

const invalid = (expression: string, field: string, detail: string) =>
  Result.fail(new ScheduleInvalid({ expression, field, detail }))
