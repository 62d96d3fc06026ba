/**
 * The six-field cron of Amazon EventBridge, in UTC, to the minute: when it fires next, as a pure question.
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html
 */
import { Result } from "effect"
import * as CronField from "./CronField.ts"
import type { CronFieldProblem } from "./CronField.ts"

export interface Cron {
  /** Ascending, like all lists here. */
  readonly minutes: ReadonlyArray<number>
  readonly hours: ReadonlyArray<number>
  readonly days: CronDays
  readonly months: ReadonlyArray<number>
  readonly years: ReadonlyArray<number>
}

/** Which days of a month; weekdays count from 1, Sunday. */
export type CronDays =
  | { readonly _tag: "DaysOfMonth"; readonly days: ReadonlyArray<number> }
  /** `L` */
  | { readonly _tag: "LastDay" }
  /** `LW`: the last day that is Monday to Friday. */
  | { readonly _tag: "LastWorkday" }
  /** `15W`: Monday to Friday nearest to the 15th, in the same month; none in a month that lacks the day. */
  | { readonly _tag: "NearestWorkday"; readonly day: number }
  | { readonly _tag: "Weekdays"; readonly weekdays: ReadonlyArray<number> }
  /** `6L`: the last Friday. */
  | { readonly _tag: "LastWeekday"; readonly weekday: number }
  /** `6#3`: the third Friday; none in a month that has fewer. */
  | { readonly _tag: "NthWeekday"; readonly weekday: number; readonly nth: number }

/** Reads what stands between the brackets of `cron(…)`. */
export const parse = (fields: string): Result.Result<Cron, CronFieldProblem> => {
  const [minutes, hours, dayOfMonth, months, dayOfWeek, years, ...more] = fields.trim().split(/\s+/)
  if (
    minutes === undefined ||
    hours === undefined ||
    dayOfMonth === undefined ||
    months === undefined ||
    dayOfWeek === undefined ||
    years === undefined ||
    more.length > 0
  ) {
    return Result.fail({
      field: "fields",
      message: "fields: six are needed (minutes hours day-of-month month day-of-week year)"
    })
  }
  return Result.all({
    minutes: CronField.values(CronField.minute, minutes),
    hours: CronField.values(CronField.hour, hours),
    days: parseDays(dayOfMonth, dayOfWeek),
    months: CronField.values(CronField.month, months),
    years: CronField.values(CronField.year, years)
  })
}

const parseDays = (dayOfMonth: string, dayOfWeek: string): Result.Result<CronDays, CronFieldProblem> => {
  if ((dayOfMonth === "?") === (dayOfWeek === "?")) {
    return CronField.problem(CronField.dayOfWeek, 'exactly one of day-of-month and day-of-week must be "?"')
  }
  return dayOfWeek === "?" ? parseDaysOfMonth(dayOfMonth) : parseWeekdays(dayOfWeek)
}

const parseDaysOfMonth = (written: string): Result.Result<CronDays, CronFieldProblem> => {
  if (written === "L") {
    return Result.succeed({ _tag: "LastDay" })
  }
  if (written === "LW") {
    return Result.succeed({ _tag: "LastWorkday" })
  }
  if (written.endsWith("W")) {
    return Result.map(CronField.value(CronField.dayOfMonth, written.slice(0, -1)), (day) => ({
      _tag: "NearestWorkday",
      day
    }))
  }
  return Result.map(CronField.values(CronField.dayOfMonth, written), (days) => ({ _tag: "DaysOfMonth", days }))
}

const parseWeekdays = (written: string): Result.Result<CronDays, CronFieldProblem> => {
  // alone, the last day of the week: Saturday
  if (written === "L") {
    return Result.succeed({ _tag: "Weekdays", weekdays: [CronField.dayOfWeek.max] })
  }
  if (written.endsWith("L")) {
    return Result.map(CronField.value(CronField.dayOfWeek, written.slice(0, -1)), (weekday) => ({
      _tag: "LastWeekday",
      weekday
    }))
  }
  if (written.includes("#")) {
    const [day = "", nth = ""] = written.split("#", 2)
    return /^[1-5]$/.test(nth) && written === `${day}#${nth}`
      ? Result.map(CronField.value(CronField.dayOfWeek, day), (weekday) => ({
          _tag: "NthWeekday",
          weekday,
          nth: Number(nth)
        }))
      : CronField.problem(CronField.dayOfWeek, `"${written}" needs one weekday before "#" and 1-5 after it`)
  }
  return Result.map(CronField.values(CronField.dayOfWeek, written), (weekdays) => ({ _tag: "Weekdays", weekdays }))
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** The first whole minute after the given instant at which it fires; `undefined` when there is none before the year 2200. */
export const next = (cron: Cron, afterUnixMs: number): number | undefined => {
  const fromMs = (Math.floor(afterUnixMs / minuteMs) + 1) * minuteMs
  for (const year of cron.years) {
    if (Date.UTC(year + 1, 0, 1) <= fromMs) {
      continue
    }
    for (const month of cron.months) {
      if (Date.UTC(year, month, 1) <= fromMs) {
        continue
      }
      for (const day of daysIn(cron.days, year, month)) {
        const found = nextWithin(cron, Date.UTC(year, month - 1, day), fromMs)
        if (found !== undefined) {
          return found
        }
      }
    }
  }
  return undefined
}

const nextWithin = (cron: Cron, dayStartMs: number, fromMs: number): number | undefined => {
  if (dayStartMs + dayMs <= fromMs) {
    return undefined
  }
  for (const hour of cron.hours) {
    for (const minute of cron.minutes) {
      const atMs = dayStartMs + hour * hourMs + minute * minuteMs
      if (atMs >= fromMs) {
        return atMs
      }
    }
  }
  return undefined
}

const daysIn = (days: CronDays, year: number, month: number): ReadonlyArray<number> => {
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate()
  const weekdayOfFirst = new Date(Date.UTC(year, month - 1, 1)).getUTCDay()
  const weekdayOf = (day: number) => ((weekdayOfFirst + day - 1) % 7) + 1
  /** The days of this month that are this weekday. */
  const all = (weekday: number) =>
    Array.from({ length: last }, (_, index) => index + 1).filter((day) => weekdayOf(day) === weekday)

  switch (days._tag) {
    case "DaysOfMonth":
      return days.days.filter((day) => day <= last)
    case "LastDay":
      return [last]
    case "LastWorkday":
      return [nearestWorkday(last, weekdayOf(last), last)]
    case "NearestWorkday":
      return days.day > last ? [] : [nearestWorkday(days.day, weekdayOf(days.day), last)]
    case "Weekdays":
      return days.weekdays.flatMap(all).toSorted((a, b) => a - b)
    case "LastWeekday":
      return all(days.weekday).slice(-1)
    case "NthWeekday":
      return all(days.weekday).slice(days.nth - 1, days.nth)
  }
}

/** Friday before a Saturday, Monday after a Sunday, but never in another month. */
const nearestWorkday = (day: number, weekday: number, last: number): number => {
  if (weekday === 7) {
    return day === 1 ? 3 : day - 1
  }
  if (weekday === 1) {
    return day === last ? day - 2 : day + 1
  }
  return day
}
