/** The name of a function. {@link FunctionReference} understands the longer ways in which callers may write it. */
import { Schema } from "effect"

/** 1 to 64 letters, digits, `-` or `_`. */
export const FunctionName = Schema.String.check(Schema.isPattern(/^[a-zA-Z0-9-_]{1,64}$/)).pipe(
  Schema.brand("FunctionName")
)
export type FunctionName = typeof FunctionName.Type

export const is = Schema.is(FunctionName)
