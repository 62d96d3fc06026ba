/** What a caller says of itself in `X-Amz-Client-Context`: a JSON object in base64, handed to the function as it is. */
import { Result } from "effect"
import { decodeString } from "effect/encoding/Base64"
import { InvalidClientContext, InvalidParameter } from "./Failure.ts"
import { limits } from "./Invocation.ts"

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value)

/** JSON text of an object; without the header there is none. */
export const decode = (
  header: string | undefined
): Result.Result<string | undefined, InvalidClientContext | InvalidParameter> => {
  if (header === undefined || header === "") {
    return Result.succeed(undefined)
  }
  if (header.length > limits.clientContextBytes) {
    const message =
      `1 validation error detected: Value at 'clientContext' failed to satisfy constraint: ` +
      `Member must have length less than or equal to ${limits.clientContextBytes}`
    return Result.fail(new InvalidParameter({ name: "clientContext", message }))
  }
  const text = decodeString(header.trim())
  if (Result.isSuccess(text)) {
    try {
      if (isObject(JSON.parse(text.success))) {
        return Result.succeed(text.success)
      }
    } catch {
      // Not JSON: told below, as for everything else that is no object.
    }
  }
  return Result.fail(new InvalidClientContext())
}
