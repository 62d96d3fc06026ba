/**
 * How callers of the API name a function: by its name, a part of its ARN or all of it, each with or without a qualifier. The
 * patterns and the refusals are AWS's own.
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_RequestSyntax
 */
import { Result } from "effect"
import { FunctionElsewhere, InvalidParameter, ParameterConflict } from "./Failure.ts"

/** Which function, and which version of it, a caller asked for. Whether there is one is another question. */
export interface FunctionReference {
  /** What the pattern allows, which is more than a function's name can be. */
  readonly name: string
  /** `$LATEST`, a version number or an alias; absent when the caller named none. */
  readonly qualifier: string | undefined
}

const namePattern =
  String.raw`(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?` +
  String.raw`(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`
const qualifierPattern = String.raw`\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+`

const wholeName = new RegExp(`^${namePattern}$`)
const wholeQualifier = new RegExp(`^(?:${qualifierPattern})$`)

const mostQualifierCharacters = 128

const violation = (value: string, member: string, rule: string): string =>
  `Value '${value}' at '${member}' failed to satisfy constraint: Member must ${rule}`

const qualifierViolations = (qualifier: string): ReadonlyArray<string> => {
  if (qualifier.length > mostQualifierCharacters) {
    return [violation(qualifier, "qualifier", `have length less than or equal to ${mostQualifierCharacters}`)]
  }
  return wholeQualifier.test(qualifier)
    ? []
    : [violation(qualifier, "qualifier", `satisfy regular expression pattern: ${qualifierPattern}`)]
}

/** Every rule that the two values break, told in one refusal. */
const invalid = (violations: ReadonlyArray<string>): InvalidParameter => {
  const count = `${violations.length} validation error${violations.length === 1 ? "" : "s"} detected: `
  return new InvalidParameter({ name: "functionName", message: count + violations.join("; ") })
}

/** What `written` and the separate `qualifier` of a request ask for in this region. */
export const parse = (
  written: string,
  qualifier: string | undefined,
  region: string
): Result.Result<FunctionReference, InvalidParameter | FunctionElsewhere | ParameterConflict> => {
  const match = wholeName.exec(written)
  const violations = qualifier === undefined ? [] : qualifierViolations(qualifier)
  if (match === null || violations.length > 0) {
    const rule = `satisfy regular expression pattern: ${namePattern}`
    return Result.fail(invalid(match === null ? [...violations, violation(written, "functionName", rule)] : violations))
  }
  const [named, name = "", derived] = [match[3]?.slice(0, -1), match[11], match[13]]
  if (named !== undefined && named !== region) {
    return Result.fail(new FunctionElsewhere({ functionRegion: named, region }))
  }
  if (derived !== undefined && qualifier !== undefined && derived !== qualifier) {
    return Result.fail(
      new ParameterConflict({
        message: "The derived qualifier from the function name does not match the specified qualifier."
      })
    )
  }
  return Result.succeed({ name, qualifier: qualifier ?? derived })
}
