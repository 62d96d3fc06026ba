/**
 * The name of a function and the ways a caller may write it.
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_RequestSyntax
 */
import { Result, Schema } from "effect"
import { InvalidParameter } from "./Failure.ts"

/** 1 to 64 letters, digits, `-` or `_`. */
export const FunctionName = Schema.String.check(Schema.isPattern(/^[a-zA-Z0-9-_]{1,64}$/)).pipe(
  Schema.brand("FunctionName")
)
export type FunctionName = typeof FunctionName.Type

/** Which function, and which version of it, a caller asked for. */
export interface FunctionReference {
  readonly name: FunctionName
  /** `$LATEST`, a version number or an alias; absent when the caller named none. */
  readonly qualifier: string | undefined
}

const longForms =
  /^(?:arn:[a-z0-9-]+:lambda:[a-z0-9-]+:\d{12}:function:|\d{12}:function:|\d{12}:)?([a-zA-Z0-9-_]{1,64})(?::(\$LATEST|[a-zA-Z0-9-_]{1,128}))?$/

/**
 * Understands `name`, `name:qualifier`, `account:name`, `account:function:name` and the full ARN, each with an optional qualifier.
 * Anything else is an {@link InvalidParameter}.
 */
export const parse = (written: string): Result.Result<FunctionReference, InvalidParameter> => {
  const match = longForms.exec(written)
  if (match?.[1] === undefined) {
    return Result.fail(
      new InvalidParameter({
        name: "functionName",
        message: `'${written}' names no function`
      })
    )
  }
  return Result.succeed({ name: match[1] as FunctionName, qualifier: match[2] })
}
