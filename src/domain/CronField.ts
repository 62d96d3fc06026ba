/** One field of a cron expression: its range, its names, and the numbers that a written list of values stands for. */
import { Result } from "effect"

export interface CronField {
  /** As AWS calls it, for messages. */
  readonly name: string
  readonly min: number
  readonly max: number
  /** `JAN` is `min`, `FEB` is the next one, and so on. */
  readonly names: ReadonlyArray<string>
  /** `22-2` goes through the end of the range; years never do. */
  readonly cyclic: boolean
}

export const minute: CronField = { name: "minutes", min: 0, max: 59, names: [], cyclic: true }
export const hour: CronField = { name: "hours", min: 0, max: 23, names: [], cyclic: true }
export const dayOfMonth: CronField = { name: "day-of-month", min: 1, max: 31, names: [], cyclic: true }
export const month: CronField = {
  name: "month",
  min: 1,
  max: 12,
  names: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
  cyclic: true
}
/** 1 is Sunday. */
export const dayOfWeek: CronField = {
  name: "day-of-week",
  min: 1,
  max: 7,
  names: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
  cyclic: true
}
export const year: CronField = { name: "year", min: 1970, max: 2199, names: [], cyclic: false }

/** Why a field cannot be read; the message begins with the name of the field. */
export interface CronFieldProblem {
  readonly field: string
  readonly message: string
}

export const problem = (field: CronField, detail: string): Result.Result<never, CronFieldProblem> =>
  Result.fail({ field: field.name, message: `${field.name}: ${detail}` })

/** A single value: a number of the range, or a name. */
export const value = (field: CronField, written: string): Result.Result<number, CronFieldProblem> => {
  const named = field.names.indexOf(written.toUpperCase())
  if (named >= 0) {
    return Result.succeed(field.min + named)
  }
  const number = /^\d{1,4}$/.test(written) ? Number(written) : Number.NaN
  return number >= field.min && number <= field.max
    ? Result.succeed(number)
    : problem(field, `"${written}" is not ${describeValues(field)}`)
}

/** `*`, `5`, `1-5`, `MON,WED`, `0/15`, `8-18/2` and lists of these: ascending, without repetition. */
export const values = (field: CronField, written: string): Result.Result<ReadonlyArray<number>, CronFieldProblem> =>
  Result.map(Result.all(written.split(",").map((element) => series(field, element))), (all) =>
    [...new Set(all.flat())].toSorted((a, b) => a - b)
  )

const describeValues = (field: CronField) => {
  const names = field.names.length === 0 ? "" : ` or ${field.names[0]}-${field.names.at(-1)}`
  return `${field.min}-${field.max}${names}`
}

const series = (field: CronField, element: string): Result.Result<ReadonlyArray<number>, CronFieldProblem> => {
  const [base = "", written, ...more] = element.split("/")
  if (more.length > 0) {
    return problem(field, `"${element}" has more than one "/"`)
  }
  const step = written === undefined ? 1 : /^\d{1,4}$/.test(written) ? Number(written) : 0
  if (step < 1) {
    return problem(field, `"${element}" needs a whole number above 0 after "/"`)
  }
  return Result.map(range(field, base, written !== undefined), ([from, to]) => {
    const span = field.max - field.min + 1
    const last = to >= from ? to : to + span
    const numbers: Array<number> = []
    for (let number = from; number <= last; number += step) {
      numbers.push(number > field.max ? number - span : number)
    }
    return numbers
  })
}

/** A single value with a step runs to the end of the range: `5/10` is 5, 15, 25 … */
const range = (
  field: CronField,
  base: string,
  stepped: boolean
): Result.Result<readonly [number, number], CronFieldProblem> => {
  if (base === "*") {
    return Result.succeed([field.min, field.max])
  }
  const [first = "", second, ...more] = base.split("-")
  if (more.length > 0) {
    return problem(field, `"${base}" has more than one "-"`)
  }
  if (second === undefined) {
    return Result.map(value(field, first), (from) => [from, stepped ? field.max : from])
  }
  return Result.flatMap(Result.all([value(field, first), value(field, second)]), ([from, to]) =>
    from > to && !field.cyclic ? problem(field, `"${base}" ends before it begins`) : Result.succeed([from, to])
  )
}
