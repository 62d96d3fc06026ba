/** Events of the types `Schedule` and `ScheduleV2`. */
import { Result } from "effect"
import type { ScheduleSpec } from "./FunctionSpec.ts"
import * as Schedule from "./Schedule.ts"
import * as TemplateFields from "./TemplateFields.ts"
import type { TemplateMap } from "./TemplateNode.ts"
import type { TemplateScope } from "./TemplateScope.ts"

/** A schedule that is switched off is none. */
export const read = (
  scope: TemplateScope,
  type: "Schedule" | "ScheduleV2",
  event: TemplateMap
): ScheduleSpec | undefined => {
  const field = type === "Schedule" ? "Schedule" : "ScheduleExpression"
  const isOn = readState(scope, event)
  if (type === "ScheduleV2") {
    checkScheduler(scope, event)
  }
  TemplateFields.required(scope, event, field)
  const written = TemplateFields.text(scope, event, field)
  const input = readInput(scope, event)
  if (written === undefined) {
    return undefined
  }
  const expression = type === "ScheduleV2" ? withRightNumber(written) : written
  const schedule = Schedule.parse(expression)
  if (Result.isFailure(schedule)) {
    scope.report.problem(TemplateFields.placeOf(event, field), schedule.failure.message)
    return undefined
  }
  return isOn ? { expression, input } : undefined
}

/** The Scheduler takes `1 minutes` and `5 minute` alike; rules of EventBridge, whose language is ours, do not. */
const withRightNumber = (expression: string): string =>
  expression.replace(
    /^rate\((\d+)\s+(minute|hour|day)s?\)$/,
    (_whole, count: string, unit: string) => `rate(${count} ${unit}${Number(count) === 1 ? "" : "s"})`
  )

const readState = (scope: TemplateScope, event: TemplateMap): boolean => {
  const state = TemplateFields.text(scope, event, "State")
  const enabled = TemplateFields.boolean(scope, event, "Enabled")
  if (TemplateFields.has(scope, event, "State") && TemplateFields.has(scope, event, "Enabled")) {
    scope.report.problem(TemplateFields.placeOf(event, "Enabled"), "State and Enabled cannot both be given")
  }
  if (state !== undefined && !/^(ENABLED|DISABLED)$/i.test(state)) {
    scope.report.problem(TemplateFields.placeOf(event, "State"), `State is ENABLED or DISABLED, not "${state}"`)
  }
  return state === undefined ? enabled !== false : !/^DISABLED$/i.test(state)
}

/** JSON text, handed to the function as it is. */
const readInput = (scope: TemplateScope, event: TemplateMap): string | undefined => {
  const input = TemplateFields.text(scope, event, "Input")
  if (input === undefined) {
    return undefined
  }
  try {
    JSON.parse(input)
    return input
  } catch {
    scope.report.problem(
      TemplateFields.placeOf(event, "Input"),
      `Input is JSON text, and ${JSON.stringify(input)} is not`
    )
    return undefined
  }
}

const checkScheduler = (scope: TemplateScope, event: TemplateMap): void => {
  const zone = TemplateFields.text(scope, event, "ScheduleExpressionTimezone")
  if (zone !== undefined && !["UTC", "Etc/UTC", "GMT"].includes(zone)) {
    const place = TemplateFields.placeOf(event, "ScheduleExpressionTimezone")
    scope.report.unsupported(place, `schedules are in UTC, not in ${zone}`)
  }
  const window = TemplateFields.map(scope, event, "FlexibleTimeWindow")
  const mode = window === undefined ? undefined : TemplateFields.choice(scope, window, "Mode", ["OFF", "FLEXIBLE"])
  if (mode === "FLEXIBLE") {
    scope.report.warning(
      TemplateFields.placeOf(event, "FlexibleTimeWindow"),
      "FlexibleTimeWindow has no effect here: schedules fire at their time"
    )
  }
  if (TemplateFields.boolean(scope, event, "OmitName") === true && TemplateFields.has(scope, event, "Name")) {
    scope.report.problem(TemplateFields.placeOf(event, "Name"), "Name cannot be given when OmitName is true")
  }
}
