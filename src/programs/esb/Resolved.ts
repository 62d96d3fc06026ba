import { Effect } from "effect"
import * as Setting from "../Setting.ts"
import { WrongUsage } from "./Refusal.ts"

/** The values of settings, from what a command was given, the environment, and the defaults. */
export const resolved = <S extends Setting.Settings>(settings: S, given: Setting.Given<S>) =>
  Setting.resolve(settings, given).pipe(
    Effect.mapError((complaints) => new WrongUsage({ message: complaints.map(({ message }) => message).join("\n") }))
  )
