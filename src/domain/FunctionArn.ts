/** ARNs of functions. The machine is nobody's account, so the account is all zeros. */
import type { FunctionName } from "./FunctionName.ts"

export const account = "000000000000"

export const of = (region: string, name: FunctionName, qualifier?: string): string =>
  `arn:aws:lambda:${region}:${account}:function:${name}${qualifier === undefined ? "" : `:${qualifier}`}`
